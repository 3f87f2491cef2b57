#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

struct Options {
  std::string from;
  std::string to;
};

std::string shown(const Json& value) {
  if (value.is_null()) return "-";
  if (value.is_number_float()) return human_number(value.get<double>());
  if (value.is_array()) return count_of(static_cast<std::int64_t>(value.size()), "photo");
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  return printable(text.starts_with("sha256:") ? short_digest(text) : text);
}

// Photos by themselves: how many came and went.
std::string photo_changes(const Json& from, const Json& to) {
  const auto count_missing = [](const Json& these, const Json& those) {
    int count = 0;
    for (const Json& item : these) count += std::find(those.begin(), those.end(), item) == those.end();
    return std::to_string(count);
  };
  return shown(to) + " (+" + count_missing(to, from) + " -" + count_missing(from, to) + ")";
}

int diff(const Context& context, const Options& options) {
  const Json answer =
      context.client().get("diff?from=" + path_segment(options.from) + "&to=" + path_segment(options.to));
  if (context.json) {
    context.print(answer);
    return 0;
  }
  const auto difference = api::decode_answer<api::Difference>(answer);
  if (difference.changes.empty()) {
    context.out << options.from << " and " << options.to << " do not differ.\n";
    return 0;
  }
  std::vector<std::vector<std::string>> rows{{"", printable(options.from), printable(options.to)}};
  for (const api::ChangeInfo& change : difference.changes)
    rows.push_back(
        {printable(change.field), shown(change.from),
         change.from.is_array() && change.to.is_array() ? photo_changes(change.from, change.to) : shown(change.to)});
  print_table(context.out, rows);
  return 0;
}

}  // namespace

void define_diff(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("diff", "Say in what two versions of a concept, or two states, differ");
  command->add_option("from", options->from)->required()->type_name("NAME@VERSION|state:N");
  command->add_option("to", options->to)->required()->type_name("NAME@VERSION|state:N");
  command->callback([&context, options] { context.run = [&context, options] { return diff(context, *options); }; });
}

}  // namespace conceptd::cli
