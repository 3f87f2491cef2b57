#include <charconv>

#include "daemon/api/wire.h"
#include "daemon/nights.h"
#include "daemon/routes.h"
#include "daemon/to_api.h"

namespace conceptd::daemon {
namespace {

constexpr int kListedMax = 1000;

// What the job became, if it became something.
std::optional<registry::Version> result_of(const Services& services, const registry::Job& job) {
  if (!job.result_version) return std::nullopt;
  return services.registry.version(registry::ConceptName::parse(job.name), *job.result_version);
}

// Of the job that runs, or of the version that it became. A job that has ended may be the runner's for a moment more.
std::optional<std::string> preview_of(const Services& services, const registry::Job& job) {
  if (job.state == registry::JobState::running) return services.runner.preview(job.id);
  const auto result = result_of(services, job);
  return result && result->preview ? std::optional(services.registry.preview(*result->preview)) : std::nullopt;
}

}  // namespace

std::int64_t number_of(const std::string& text, const char* field) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1)
    throw Error(Code::invalid, std::string("'") + field + "' must be a number above 0", field);
  return value;
}

api::JobInfo job_info(const Services& services, const registry::Job& job) {
  registry::Job fresh = job;
  if (const auto progress = services.runner.progress(job.id); progress && job.state == registry::JobState::running)
    fresh.progress = *progress;
  api::JobInfo info = to_api(fresh);
  const auto result = result_of(services, job);
  if (result) info.published = result->published;
  if (result && result->verdict == registry::Verdict::rejected) info.refused = result->verdict_reason;
  if (result && !result->published) info.night = services.registry.nights().keeper_of(job.name, result->number);
  if (job.state == registry::JobState::queued && !job.urgent && !services.nights.may_learn())
    if (const auto window = window_now(services)) info.waits_until = window->begins_at;
  info.has_preview = job.state == registry::JobState::running ? services.runner.preview(job.id).has_value()
                                                              : result && result->preview;
  return info;
}

HttpResponse list_jobs(const Services& services, const HttpRequest& request) {
  registry::JobFilter filter;
  for (const auto& [key, value] : request.query) {
    if (key == "state")
      filter.state = registry::job_state_from_string(value);
    else if (key == "name")
      filter.name = value;
    else if (key == "limit")
      filter.limit = static_cast<int>(std::min<std::int64_t>(number_of(value, "limit"), kListedMax));
    else
      throw Error(Code::invalid, "jobs can be chosen by state, name and limit, not by '" + key + "'", key);
  }
  api::JobList list;
  for (const registry::Job& job : services.registry.jobs().list(filter)) list.jobs.push_back(job_info(services, job));
  return json_response(api::encode(list));
}

HttpResponse show_job(const Services& services, const std::string& id) {
  const registry::Job job = services.registry.jobs().get(number_of(id, "id"));
  return json_response(api::encode(api::JobAnswer{.job = job_info(services, job)}));
}

HttpResponse cancel_job(const Services& services, const HttpRequest& request, const std::string& id) {
  registry::JobQueue& jobs = services.registry.jobs();
  require_own(request.caller, jobs.get(number_of(id, "id")).requested_by, "job " + id);
  const registry::Job job = jobs.cancel(number_of(id, "id"), request.actor);
  services.runner.note_cancelled(job.id);
  services.runner.wake();  // another may have waited for it
  return json_response(api::encode(api::JobAnswer{.job = job_info(services, job)}));
}

HttpResponse job_preview(const Services& services, const std::string& id) {
  const registry::Job job = services.registry.jobs().get(number_of(id, "id"));
  std::optional<std::string> png = preview_of(services, job);
  if (!png) throw Error(Code::not_found, "job " + id + " has no preview" + (job.finished_at ? "" : " yet"));
  return {.content_type = "image/png", .body = std::move(*png), .headers = {{"Cache-Control", "no-store"}}};
}

std::optional<api::PauseInfo> pause_now(const Services& services) {
  const auto pause = services.registry.jobs().paused();
  if (!pause) return std::nullopt;
  api::PauseInfo info{.since = to_iso8601(pause->since), .by = pause->actor, .reason = pause->reason};
  if (pause->until) info.until = to_iso8601(*pause->until);
  return info;
}

HttpResponse switch_learning(const Services& services, const HttpRequest& request, const std::string& id) {
  registry::JobQueue& jobs = services.registry.jobs();
  if (id == "pause") {
    const auto asked = api::decode_request<api::PauseRequest>(body_of(request));
    std::optional<TimePoint> until;
    if (asked.for_s)
      until = services.clock.now() + std::chrono::milliseconds(static_cast<std::int64_t>(*asked.for_s * 1000));
    jobs.pause(until, request.actor, asked.reason.value_or(""));
  } else if (id == "resume") {
    jobs.resume(request.actor);
  } else {
    throw Error(Code::not_found, "learning answers to pause and resume, not to '" + id + "'");
  }
  services.runner.wake();
  return json_response(api::encode(api::PauseAnswer{.paused = pause_now(services)}));
}

}  // namespace conceptd::daemon
