#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/ask.h"
#include "cli/command.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

struct Options {
  std::string what;
  api::Promote request;
  bool override_gate = false;
};

int promote(const Context& context, Options& options) {
  const Reference reference = split_reference(options.what);
  if (!reference.version) throw Error(Code::invalid, "say which version, as in " + reference.name + "@3", "version");
  require_reason(context, options.request.reason);
  options.request.version = *reference.version;
  if (options.override_gate) options.request.override_gate = true;
  const Json answer =
      context.client().post("concepts/" + path_segment(reference.name) + "/promote", api::encode(options.request));
  if (context.json) {
    context.print(answer);
    return 0;
  }
  const auto done = api::decode_answer<api::RolledBack>(answer);
  context.out << done.name << ": version " << (done.from ? std::to_string(*done.from) : "none") << " -> " << done.to
              << (done.pinned ? " (pinned)" : "") << ", state " << done.state << ".";
  if (done.from) context.out << " Undo: conceptctl rollback " << done.name << " --to " << *done.from;
  context.out << "\n";
  return 0;
}

}  // namespace

void define_promote(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("promote", "Publish a version that was learnt and not published");
  command->add_option("what", options->what, "A concept and a version")->required()->type_name("NAME@VERSION");
  command->add_flag("--override-gate", options->override_gate, "Even if it was rejected; needs --reason");
  command->add_option("--reason", options->request.reason, "For the audit; required where no terminal is")
      ->type_name("TEXT");
  command->callback([&context, options] { context.run = [&context, options] { return promote(context, *options); }; });
}

}  // namespace conceptd::cli
