#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/duration.h"
#include "cli/follow.h"
#include "cli/settings_option.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

struct Options {
  std::string name;
  api::LearnAgain request;
  std::vector<std::string> settings;
  std::string deadline;
  bool now = false;
  bool wait = false;
};

int learn(const Context& context, Options& options) {
  options.request.settings = settings_from(options.settings);
  if (options.now) options.request.now = true;
  if (!options.deadline.empty()) options.request.deadline_s = seconds_in(options.deadline, "deadline");
  const Json answer =
      context.client().post("concepts/" + path_segment(options.name) + "/learn", api::encode(options.request));
  const auto queued = api::decode_answer<api::Queued>(answer);
  if (context.json && !options.wait) context.print(answer);
  if (!context.json)
    context.out << "Queued as job " << queued.job.id << "." << when_it_learns(queued.job)
                << (options.wait ? "" : " Watch it: conceptctl watch " + options.name) << std::endl;
  if (!options.wait) return 0;
  return report_end(context, follow(context, queued.job.id, context.json ? Show::events : Show::progress));
}

}  // namespace

void define_learn(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("learn", "Learn a concept again: a new version from the same photos");
  command->add_option("name", options->name)->required()->type_name("NAME");
  command->add_option("--method", options->request.method, "How to learn it (default: the daemon's)");
  command->add_option("--steps", options->request.steps, "How long to learn (default: the method's)");
  command->add_option("--seed", options->request.seed, "Of learning");
  add_set_option(*command, options->settings);
  command->add_option("--deadline", options->deadline, "Give it up if it has not begun by then, from now: 45m, 8h, 2d")
      ->type_name("DURATION");
  command->add_flag("--now", options->now, "Do not wait for the learning window");
  command->add_flag("--wait", options->wait, "Show progress until it is learnt");
  command->callback([&context, options] { context.run = [&context, options] { return learn(context, *options); }; });
}

}  // namespace conceptd::cli
