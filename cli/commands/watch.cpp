#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <ostream>

#include "cli/command.h"
#include "cli/follow.h"
#include "cli/follow_night.h"
#include "cli/preview_file.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

struct Options {
  std::string what;
  std::string preview;
  bool night = false;
};

// The one that runs; if none does, the next of the queue.
std::int64_t job_that_runs(const Client& client) {
  const auto jobs_that_are = [&](const std::string& state) {
    return api::decode_answer<api::JobList>(client.get("jobs?limit=1000&state=" + state)).jobs;
  };
  if (const auto running = jobs_that_are("running"); !running.empty()) return running.back().id;
  for (const api::JobInfo& job : jobs_that_are("queued"))
    if (job.queue_position == 1) return job.id;
  throw Error(Code::not_found, "nothing is running or queued; conceptctl jobs shows what ran before");
}

int watch(const Context& context, const Options& options) {
  if (options.night)
    return follow_night(context, api::decode_answer<api::NightAnswer>(context.client().get("nights/last")).night.id);
  std::optional<PreviewFile> preview;
  if (!options.preview.empty()) preview.emplace(options.preview);
  const Client client = context.client();
  const std::int64_t job = options.what.empty() ? job_that_runs(client) : job_of(client, options.what);
  const Show show = context.json ? Show::events : Show::progress;
  const Followed followed = follow(context, job, show, {}, [&](const Client& from, const api::JobInfo& now) {
    if (preview) preview->update(from, now);
  });
  if (preview)
    context.err << (preview->is_written() ? "The newest preview is in " : "The job made no preview for ")
                << preview->path().string() << "\n";
  return report_end(context, followed);
}

}  // namespace

void define_watch(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("watch", "Show a job's progress until it ends");
  CLI::Option* what =
      command->add_option("what", options->what, "A concept or the number of a job (default: the one that runs)")
          ->type_name("NAME|JOB");
  command->add_option("--preview", options->preview, "Keep the newest preview, a PNG, in this file")->type_name("FILE");
  command->add_flag("--night", options->night, "The night that runs, or what became of the last")->excludes(what);
  command->callback([&context, options] { context.run = [&context, options] { return watch(context, *options); }; });
}

}  // namespace conceptd::cli
