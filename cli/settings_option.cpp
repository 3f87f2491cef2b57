#include "cli/settings_option.h"

#include <CLI/CLI.hpp>

#include "cli/text.h"
#include "core/error.h"

namespace conceptd::cli {

void add_set_option(CLI::App& command, std::vector<std::string>& said) {
  command.add_option("--set", said, "A setting of the method, as in --set rate=0.005; may be repeated")
      ->allow_extra_args(false)
      ->type_name("NAME=NUMBER");
}

std::optional<api::Settings> settings_from(const std::vector<std::string>& said) {
  if (said.empty()) return std::nullopt;
  api::Settings settings;
  for (const std::string& text : said) {
    const std::size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    const auto refuse = [&](const std::string& why) {
      throw Error(Code::invalid, "--set " + printable(text) + ": " + why, "settings." + printable(name));
    };
    if (equals == std::string::npos || name.empty()) refuse("write a name and a number, as in --set rate=0.005");
    const Json value = Json::parse(text.substr(equals + 1), nullptr, /*allow_exceptions=*/false);
    if (!value.is_number()) refuse("'" + printable(text.substr(equals + 1)) + "' is not a number");
    if (settings.values.contains(name)) refuse("'" + printable(name) + "' is set twice");
    settings.values[name] = value;
  }
  return settings;
}

}  // namespace conceptd::cli
