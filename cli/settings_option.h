// --set name=value of add and learn: the method's own settings.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "daemon/api/concepts.h"

namespace CLI {
class App;
}

namespace conceptd::cli {

void add_set_option(CLI::App& command, std::vector<std::string>& said);

// Empty where nothing was said. Error{invalid} with the field "settings.name" for what is not a number by a name, and
// for a name said twice.
std::optional<api::Settings> settings_from(const std::vector<std::string>& said);

}  // namespace conceptd::cli
