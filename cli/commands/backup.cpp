#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

constexpr std::chrono::hours kPatience{6};

int backup(const Context& context, const api::BackUp& request) {
  const Json answer = context.client().post("backup", api::encode(request), kPatience);
  const auto done = api::decode_answer<api::BackedUp>(answer);
  const int status = done.missing.empty() ? 0 : exit_status(Code::corrupt);
  if (context.json) {
    context.print(answer);
    return status;
  }
  context.out << done.folder << ": state " << done.state << ", " << count_of(done.versions, "version") << ", "
              << count_of(done.photos, "photo") << ", database " << human_bytes(done.database_bytes) << " "
              << short_digest(done.database) << "; checked.\nRestore it: conceptd restore " << done.folder
              << " --to NEW_FOLDER\n";
  for (const std::string& digest : done.missing)
    context.err << "photo " << digest << " is missing or damaged here, so the backup lacks it\n";
  return status;
}

}  // namespace

void define_backup(CLI::App& app, Context& context) {
  auto request = std::make_shared<api::BackUp>();
  CLI::App* command = app.add_subcommand("backup", "Copy everything into a folder below the daemon's backups, checked");
  command->add_option("-o,--name", request->name, "What to call the folder (default: the time)")->type_name("NAME");
  command->callback([&context, request] { context.run = [&context, request] { return backup(context, *request); }; });
}

}  // namespace conceptd::cli
