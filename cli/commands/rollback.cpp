#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

struct Options {
  std::string name;
  api::RollBack request;
};

int rollback(const Context& context, const Options& options) {
  const Json answer =
      context.client().post("concepts/" + path_segment(options.name) + "/rollback", api::encode(options.request));
  if (context.json) {
    context.print(answer);
    return 0;
  }
  const auto done = api::decode_answer<api::RolledBack>(answer);
  context.out << printable(done.name) << ": version " << (done.from ? std::to_string(*done.from) : "none") << " -> "
              << done.to << ", state " << done.state << ".";
  if (done.from) context.out << " Undo: conceptctl rollback " << printable(done.name) << " --to " << *done.from;
  context.out << "\n";
  return 0;
}

}  // namespace

void define_rollback(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("rollback", "Bring an earlier version of a concept back");
  command->add_option("name", options->name)->required()->type_name("NAME");
  command->add_option("--to", options->request.to, "Which version (default: the one before)")->type_name("VERSION");
  command->add_option("--reason", options->request.reason, "For the audit")->type_name("TEXT");
  command->callback([&context, options] { context.run = [&context, options] { return rollback(context, *options); }; });
}

}  // namespace conceptd::cli
