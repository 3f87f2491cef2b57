#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/follow_night.h"
#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

struct Options {
  api::HoldNight request;
  bool no_wait = false;
};

int nightly(const Context& context, const Options& options) {
  const Json answer = context.client().post("nights", api::encode(options.request));
  const auto begun = api::decode_answer<api::NightAnswer>(answer);
  if (options.no_wait && context.json) context.print(answer);
  if (!context.json)
    (options.no_wait ? context.out : context.err)
        << (begun.joined ? "Night " + std::to_string(begun.night.id) + " runs already, until "
                         : "Night " + std::to_string(begun.night.id) + " runs, until ")
        << human_time(begun.night.until) << " UTC." << (options.no_wait ? " Watch it: conceptctl watch --night" : "")
        << std::endl;
  return options.no_wait ? 0 : follow_night(context, begun.night.id);
}

}  // namespace

void define_nightly(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("nightly", "Hold a night: learn what is queued, measure, verify, back up");
  command->add_option("--until", options->request.until, "When it has to end, in the window's time zone (HH:MM)")
      ->type_name("TIME");
  command->add_flag("--no-wait", options->no_wait, "Only begin it");
  command->callback([&context, options] { context.run = [&context, options] { return nightly(context, *options); }; });
}

}  // namespace conceptd::cli
