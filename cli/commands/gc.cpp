#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/duration.h"
#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

constexpr std::chrono::hours kPatience{2};

struct Options {
  api::CollectGarbage request;
  std::string older_than;
  bool dry_run = false;
};

std::int64_t seconds_in(const std::string& text) {
  const auto age = parse_duration(text);
  if (!age || !age->is_whole || age->number > 1'000'000'000)
    throw Error(Code::invalid, "'" + text + "' is no age; write 30d, 12h, 45m or 10s", "--older-than");
  return static_cast<std::int64_t>(age->seconds());
}

int gc(const Context& context, Options& options) {
  if (options.dry_run) options.request.dry_run = true;
  if (!options.older_than.empty()) options.request.older_than_s = seconds_in(options.older_than);
  const Json answer = context.client().post("gc", api::encode(options.request), kPatience);
  if (context.json) {
    context.print(answer);
    return 0;
  }
  const auto done = api::decode_answer<api::Collected>(answer);
  std::vector<std::vector<std::string>> rows{{"VERSION", "SIZE"}};
  for (const api::ErasedInfo& item : done.versions)
    rows.push_back({item.name + "@" + std::to_string(item.version), human_bytes(item.size_bytes)});
  if (rows.size() > 1) print_table(context.out, rows);
  for (const std::string& name : done.concepts) context.out << "photos of " << name << ", which was removed\n";
  context.out << (done.dry_run ? "Would erase " : "Erased ")
              << count_of(static_cast<std::int64_t>(done.versions.size()), "version") << ", "
              << count_of(done.previews, "preview") << ", " << count_of(done.photos, "photo") << ", "
              << count_of(done.stray_files, "stray file") << ": " << human_bytes(done.bytes) << ".\n";
  if (done.dry_run) context.out << "Nothing was erased. Do it: the same without -n\n";
  return 0;
}

}  // namespace

void define_gc(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("gc", "Erase versions that nothing reaches, and photos of removed concepts");
  command->add_flag("-n,--dry-run", options->dry_run, "Only say what would be erased");
  command->add_option("--keep-states", options->request.keep_states, "Keep all of so many last states (default: 30)")
      ->type_name("K");
  command->add_option("--older-than", options->older_than, "Erase nothing younger (default: 30d)")->type_name("AGE");
  command->callback([&context, options] { context.run = [&context, options] { return gc(context, *options); }; });
}

}  // namespace conceptd::cli
