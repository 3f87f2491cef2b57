#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/ask.h"
#include "cli/command.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

struct Options {
  std::string name;
  std::optional<std::string> confirmed;
  api::ForReason request;
};

int rm(const Context& context, const Options& options) {
  require_confirmation(context, options.name, options.confirmed);
  const Json answer =
      context.client().post("concepts/" + path_segment(options.name) + "/remove", api::encode(options.request));
  if (context.json) {
    context.print(answer);
    return 0;
  }
  const auto done = api::decode_answer<api::Moved>(answer);
  context.out << done.name << " is removed, state " << done.state
              << ". Its photos and versions are kept until gc erases them (after 30 days by default). Undo: conceptctl "
                 "undelete "
              << done.name << "\n";
  return 0;
}

}  // namespace

void define_rm(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("rm", "Remove a concept; undelete brings it back");
  command->add_option("name", options->name)->required()->type_name("NAME");
  command->add_option("--confirm", options->confirmed, "The name again; required where no terminal is")
      ->type_name("NAME");
  command->add_option("--reason", options->request.reason, "For the audit")->type_name("TEXT");
  command->callback([&context, options] { context.run = [&context, options] { return rm(context, *options); }; });
}

}  // namespace conceptd::cli
