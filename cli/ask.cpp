#include "cli/ask.h"

#include <istream>
#include <ostream>

#include "core/error.h"

namespace conceptd::cli {

void require_reason(const Context& context, const std::optional<std::string>& reason) {
  if (context.in || !reason.value_or("").empty()) return;
  throw Error(Code::invalid, "say why, for the audit: --reason TEXT (on a terminal it may be left out)", "--reason");
}

void require_confirmation(const Context& context, const std::string& name,
                          const std::optional<std::string>& confirmed) {
  std::string typed = confirmed.value_or("");
  if (!confirmed && context.in) {
    context.err << "Type " << name << " to go on: " << std::flush;
    std::getline(*context.in, typed);
  }
  if (typed == name) return;
  throw Error(Code::invalid,
              typed.empty() ? "this takes " + name + " away from everybody; confirm it: --confirm=" + name
                            : "'" + typed + "' is not " + name + "; nothing was changed",
              "--confirm");
}

Reference split_reference(const std::string& text) {
  const std::size_t at = text.find('@');
  if (at == std::string::npos) return {.name = text};
  return {.name = text.substr(0, at), .version = text.substr(at + 1)};
}

}  // namespace conceptd::cli
