#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/follow.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

std::int64_t job_that_runs(const Client& client) {
  const auto list = api::decode_answer<api::JobList>(client.get("jobs"));
  for (const std::string state : {"running", "queued"})
    for (auto job = list.jobs.rbegin(); job != list.jobs.rend(); ++job)
      if (job->state == state) return job->id;
  throw Error(Code::not_found, "nothing is running or queued; conceptctl jobs shows what ran before");
}

int watch(const Context& context, const std::string& what) {
  const std::int64_t job = what.empty() ? job_that_runs(context.client()) : job_of(context.client(), what);
  return report_end(context, follow(context, job, context.json ? Show::events : Show::progress));
}

}  // namespace

void define_watch(CLI::App& app, Context& context) {
  auto what = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("watch", "Show a job's progress until it ends");
  command->add_option("what", *what, "A concept or the number of a job (default: the one that runs)")
      ->type_name("NAME|JOB");
  command->callback([&context, what] { context.run = [&context, what] { return watch(context, *what); }; });
}

}  // namespace conceptd::cli
