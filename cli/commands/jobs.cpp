#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

std::string outcome(const api::JobInfo& job) {
  if (job.state == "running" && job.progress.steps > 0)
    return "step " + std::to_string(job.progress.step) + "/" + std::to_string(job.progress.steps);
  if (job.result_version) return "version " + std::to_string(*job.result_version);
  if (job.state == "queued" && job.queue_position > 0) return "number " + std::to_string(job.queue_position);
  return job.state == "done" ? "" : printable(job.error_message);
}

int list_jobs(const Context& context, const std::string& state) {
  const Json answer = context.client().get(state.empty() ? "jobs" : "jobs?state=" + state);
  if (context.json) {
    context.print(answer);
    return 0;
  }
  const auto list = api::decode_answer<api::JobList>(answer);
  if (list.jobs.empty()) {
    context.out << "No jobs" << (state.empty() ? " yet" : " that are " + state) << ".\n";
    return 0;
  }
  std::vector<std::vector<std::string>> rows{{"JOB", "KIND", "CONCEPT", "STATE", "METHOD", "ATTEMPTS", "QUEUED", ""}};
  for (const api::JobInfo& job : list.jobs)
    rows.push_back({std::to_string(job.id), job.kind, job.name, job.state, job.method + (job.draft ? " (draft)" : ""),
                    std::to_string(job.attempts) + "/" + std::to_string(job.attempts_max), human_time(job.created_at),
                    outcome(job)});
  print_table(context.out, rows);
  return 0;
}

int cancel_job(const Context& context, std::int64_t id) {
  const Json answer = context.client().post("jobs/" + std::to_string(id) + "/cancel", Json::object());
  if (context.json)
    context.print(answer);
  else
    context.out << "Job " << id << " is cancelled; what was published stays.\n";
  return 0;
}

}  // namespace

void define_jobs(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("jobs", "List jobs, newest first, or cancel one");
  auto state = std::make_shared<std::string>();
  command->add_option("--state", *state, "Only those")
      ->check(CLI::IsMember({"queued", "running", "done", "failed", "cancelled"}));
  command->require_subcommand(0, 1);
  CLI::App* list = command->add_subcommand("list", "List jobs, newest first");
  auto id = std::make_shared<std::int64_t>();
  CLI::App* cancel = command->add_subcommand("cancel", "Stop a job that is queued or running");
  cancel->add_option("job", *id, "Its number")
      ->required()
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 53))
      ->type_name("JOB");
  command->callback([&context, state, id, cancel] {
    if (cancel->parsed())
      context.run = [&context, id] { return cancel_job(context, *id); };
    else
      context.run = [&context, state] { return list_jobs(context, *state); };
  });
  list->fallthrough();
}

}  // namespace conceptd::cli
