#include <CLI/CLI.hpp>
#include <algorithm>
#include <ostream>

#include "cli/command.h"
#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

int list(const Context& context) {
  const Json answer = context.client().get("concepts");
  if (context.json) {
    context.print(answer);
    return 0;
  }
  const auto list = api::decode_answer<api::ConceptList>(answer);
  if (list.concepts.empty()) {
    context.out << "No concepts yet. Add one: conceptctl add NAME PHOTO... --class WORD\n";
    return 0;
  }
  std::vector<std::vector<std::string>> rows{
      {"NAME", "CLASS", "VERSION", "STATUS", "METHOD", "SIZE", "PHOTOS", "LEARNED"}};
  for (const api::ConceptSummary& item : list.concepts)
    rows.push_back({item.name, printable(item.class_word),
                    item.live_version ? std::to_string(*item.live_version) + (item.pinned_version ? "*" : "") : "-",
                    item.status, item.method.value_or("-"), item.size_bytes ? human_bytes(*item.size_bytes) : "-",
                    std::to_string(item.photos), human_time(item.learned_at.value_or(""))});
  print_table(context.out, rows);
  context.out << count_of(static_cast<std::int64_t>(list.concepts.size()), "concept") << ", state " << list.state
              << ".";
  if (std::any_of(list.concepts.begin(), list.concepts.end(), [](const auto& item) { return item.pinned_version; }))
    context.out << " * is pinned.";
  context.out << "\n";
  return 0;
}

}  // namespace

void define_list(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("list", "List the concepts");
  command->callback([&context] { context.run = [&context] { return list(context); }; });
}

}  // namespace conceptd::cli
