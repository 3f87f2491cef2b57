// What a command asks of the person who typed it before it does something that others will notice.
#pragma once
#include <optional>
#include <string>

#include "cli/command.h"

namespace conceptd::cli {

// Error{invalid, "--reason"} where nobody can be asked and no reason was given: what a script does is explained too.
void require_reason(const Context& context, const std::optional<std::string>& reason);

// --confirm=NAME, or, on a terminal, the name typed again. Error{invalid, "--confirm"} if it is another one or none.
void require_confirmation(const Context& context, const std::string& name, const std::optional<std::string>& confirmed);

// "kettle-7@3" or "kettle-7@good" in its two parts; the second is empty where nothing stood.
struct Reference {
  std::string name{};
  std::optional<std::string> version{};
};
Reference split_reference(const std::string& text);

}  // namespace conceptd::cli
