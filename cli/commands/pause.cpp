#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/duration.h"
#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

struct Options {
  api::PauseRequest request;
  std::string duration;
};

int report_pause(const Context& context, const Json& answer) {
  if (context.json) {
    context.print(answer);
    return 0;
  }
  const auto now = api::decode_answer<api::PauseAnswer>(answer).paused;
  if (!now)
    context.out << "Learning goes on.\n";
  else
    context.out << "Learning is paused" << (now->until ? " until " + human_time(*now->until) + " UTC" : "")
                << "; what was learning holds its place. Go on: conceptctl resume\n";
  return 0;
}

int pause(const Context& context, Options& options) {
  if (!options.duration.empty()) options.request.for_s = seconds_in(options.duration, "for");
  return report_pause(context, context.client().post("learning/pause", api::encode(options.request)));
}

}  // namespace

void define_pause(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("pause", "Learn nothing for a while; pictures are made as ever");
  command->add_option("--for", options->duration, "How long: 90s, 45m, 8h, 2d (default: until resume)")
      ->type_name("DURATION");
  command->add_option("--reason", options->request.reason, "Kept in the audit")->type_name("TEXT");
  command->callback([&context, options] { context.run = [&context, options] { return pause(context, *options); }; });
}

void define_resume(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("resume", "Go on learning after a pause");
  command->callback([&context] {
    context.run = [&context] {
      return report_pause(context, context.client().post("learning/resume", Json::object()));
    };
  });
}

}  // namespace conceptd::cli
