#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <ostream>

#include "cli/command.h"
#include "cli/follow.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

struct Options {
  std::string what;
  std::optional<double> timeout_s;
};

int wait(const Context& context, const Options& options) {
  const Followed followed = follow(context, job_of(context.client(), options.what), Show::nothing, options.timeout_s);
  if (context.json) context.print(api::encode(api::JobAnswer{followed.job}));
  return report_end(context, followed);
}

}  // namespace

void define_wait(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("wait", "Wait until a job has ended; the exit status says how");
  command->add_option("what", options->what, "A concept or the number of a job")->required()->type_name("NAME|JOB");
  command->add_option("--timeout", options->timeout_s, "Give up waiting after so many seconds; the job goes on")
      ->check(CLI::NonNegativeNumber)
      ->type_name("SECONDS");
  command->callback([&context, options] { context.run = [&context, options] { return wait(context, *options); }; });
}

}  // namespace conceptd::cli
