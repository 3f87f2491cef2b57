#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

int history(const Context& context, const std::string& name) {
  const Json answer = context.client().get("concepts/" + path_segment(name) + "/history");
  if (context.json) {
    context.print(answer);
    return 0;
  }
  const auto history = api::decode_answer<api::History>(answer);
  if (history.versions.empty()) {
    context.out << name << " has no version yet. Watch it: conceptctl watch " << name << "\n";
    return 0;
  }
  std::vector<std::vector<std::string>> rows{{"", "VERSION", "LEARNED", "METHOD", "SIZE", "PHOTOS", "VERDICT"}};
  for (const api::VersionInfo& version : history.versions)
    rows.push_back({version.live ? "*" : " ", std::to_string(version.number), human_time(version.created_at),
                    version.method + (version.draft ? " (draft)" : ""), human_bytes(version.size_bytes),
                    std::to_string(version.photos.size()),
                    version.verdict + (version.verdict_reason.empty() ? "" : ": " + printable(version.verdict_reason)) +
                        (version.overridden ? " (overridden)" : "") +
                        (version.erased_at ? " (erased " + human_time(*version.erased_at) + ")" : "")});
  print_table(context.out, rows);
  const auto is_live = [](const api::VersionInfo& version) { return version.live; };
  if (std::any_of(history.versions.begin(), history.versions.end(), is_live))
    context.out << "* is live. Another one: conceptctl rollback " << name << " --to VERSION\n";
  else
    context.out << "None is live. <" << name << "@VERSION> in a prompt draws one; conceptctl promote " << name
                << "@VERSION publishes it\n";
  return 0;
}

}  // namespace

void define_history(CLI::App& app, Context& context) {
  auto name = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("history", "List the versions of a concept, newest first");
  command->add_option("name", *name)->required()->type_name("NAME");
  command->callback([&context, name] { context.run = [&context, name] { return history(context, *name); }; });
}

}  // namespace conceptd::cli
