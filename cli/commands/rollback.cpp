#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/ask.h"
#include "cli/command.h"
#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

struct Options {
  std::string name;
  std::optional<std::int64_t> state;
  api::RollBack request;
  bool no_pin = false;
};

int rollback_concept(const Context& context, const Options& options) {
  const Json answer =
      context.client().post("concepts/" + path_segment(options.name) + "/rollback", api::encode(options.request));
  if (context.json) {
    context.print(answer);
    return 0;
  }
  const auto done = api::decode_answer<api::RolledBack>(answer);
  context.out << printable(done.name) << ": version " << (done.from ? std::to_string(*done.from) : "none") << " -> "
              << done.to << (done.pinned ? " (pinned)" : "") << ", state " << done.state << ".";
  if (done.from)
    context.out << " Undo: conceptctl rollback " << printable(done.name) << " --to " << *done.from
                << (done.pinned ? " --no-pin" : "");
  context.out << "\n";
  return 0;
}

int rollback_state(const Context& context, const Options& options) {
  const api::RollBackState request{.reason = options.request.reason, .pin = options.request.pin};
  const Json answer =
      context.client().post("states/" + std::to_string(*options.state) + "/rollback", api::encode(request));
  if (context.json) {
    context.print(answer);
    return 0;
  }
  const auto done = api::decode_answer<api::StateRolledBack>(answer);
  context.out << "State " << done.state << " has the content of state " << done.like << " (" << done.concepts
              << " concepts" << (done.pinned ? ", all pinned" : "") << "). Undo: conceptctl rollback --state "
              << done.from << (done.pinned ? " --no-pin" : "") << "\n";
  return 0;
}

int rollback(const Context& context, Options& options) {
  if (options.name.empty() != options.state.has_value())
    throw Error(Code::invalid, "give a concept, or --state with a state's number", "name");
  if (options.state && options.request.to)
    throw Error(Code::invalid, "--to is a version of a concept; a state is taken whole", "--to");
  require_reason(context, options.request.reason);
  if (options.no_pin) options.request.pin = false;
  return options.state ? rollback_state(context, options) : rollback_concept(context, options);
}

}  // namespace

void define_rollback(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("rollback", "Bring an earlier version of a concept back, or a whole state, and hold it there");
  command->add_option("name", options->name)->type_name("NAME");
  command->add_option("--to", options->request.to, "Which version (default: the one before)")->type_name("VERSION");
  command->add_option("--state", options->state, "Everything, as it was in this state")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 53))
      ->type_name("STATE");
  command->add_flag("--no-pin", options->no_pin, "Let the next learning move it again");
  command->add_option("--reason", options->request.reason, "For the audit; required where no terminal is")
      ->type_name("TEXT");
  command->callback([&context, options] { context.run = [&context, options] { return rollback(context, *options); }; });
}

}  // namespace conceptd::cli
