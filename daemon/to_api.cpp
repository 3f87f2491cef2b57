#include "daemon/to_api.h"

#include <cmath>

namespace conceptd::daemon {
namespace {

std::optional<std::string> iso(const std::optional<TimePoint>& time) {
  return time ? std::optional(to_iso8601(*time)) : std::nullopt;
}

std::string status_of(const registry::ConceptRecord& record, const LiveConcept* live,
                      const std::optional<registry::Version>& version, const std::optional<registry::Job>& last_job) {
  if (record.active_job && last_job) return last_job->state == registry::JobState::running ? "learning" : "queued";
  if (live) return !live->problem.empty() ? "unusable" : version && version->draft ? "draft" : "live";
  if (record.imported && record.photos.empty()) return "staged";
  if (last_job && last_job->state == registry::JobState::failed) return "failed";
  return record.newest_version > 0 ? "unpublished" : "waiting";
}

}  // namespace

api::JobInfo to_api(const registry::Job& job) {
  api::JobInfo info{
      .id = job.id,
      .kind = std::string(to_string(job.kind)),
      .name = job.name,
      .state = std::string(to_string(job.state)),
      .method = job.settings.value("method", std::string()),
      .draft = job.draft,
      .queue_position = job.queue_position,
      .attempts = job.attempts,
      .attempts_max = job.attempts_max,
      .progress = {.step = job.progress.step, .steps = job.progress.steps, .message = job.progress.message},
      .error_code = job.error_code,
      .error_message = job.error_message,
      .result_version = job.result_version,
      .requested_by = job.requested_by,
      .created_at = to_iso8601(job.created_at),
      .started_at = iso(job.started_at),
      .finished_at = iso(job.finished_at)};
  if (job.state == registry::JobState::queued && !job.started_at) info.deadline = iso(job.deadline);
  if (job.progress.step > 0 && std::isfinite(job.progress.loss)) info.progress.loss = job.progress.loss;
  if (job.progress.step > 0 && job.progress.eta_s >= 0) info.progress.eta_s = job.progress.eta_s;
  return info;
}

api::NightInfo to_api(const registry::Night& night) {
  api::NightInfo info{.id = night.id,
                      .date = night.date,
                      .cause = std::string(to_string(night.cause)),
                      .actor = night.actor,
                      .state = std::string(to_string(night.state)),
                      .reason = night.reason,
                      .began_at = to_iso8601(night.began_at),
                      .until = to_iso8601(night.until),
                      .ended_at = iso(night.ended_at),
                      .state_before = night.state_before,
                      .state_after = night.state_after};
  for (const registry::NightStep& step : night.steps)
    info.steps.push_back({.name = step.name,
                          .state = std::string(to_string(step.state)),
                          .seconds = step.seconds,
                          .message = step.message,
                          .detail = step.detail});
  return info;
}

api::PhotoInfo to_api(const registry::Photo& photo) {
  return {.digest = photo.digest.tagged(),
          .media_type = photo.media_type,
          .name = photo.original_name,
          .caption = photo.caption,
          .size_bytes = photo.size_bytes,
          .width = photo.width,
          .height = photo.height};
}

api::VersionInfo to_api(const registry::Version& version) {
  api::VersionInfo info{.number = version.number,
                        .method = version.method,
                        .live = version.live,
                        .published = version.published,
                        .verdict = std::string(to_string(version.verdict)),
                        .verdict_reason = version.verdict_reason,
                        .digest = version.delta.tagged(),
                        .size_bytes = version.delta_bytes,
                        .erased_at = iso(version.erased_at),
                        .overridden = version.overridden,
                        .draft = version.draft,
                        .base_fingerprint = version.base_fingerprint,
                        .parent = version.parent,
                        .seed = static_cast<std::int64_t>(version.seed),
                        .settings = version.settings,
                        .metrics = version.metrics,
                        .job = version.job,
                        .created_at = to_iso8601(version.created_at)};
  for (const Digest& digest : version.photos) info.photos.push_back(digest.tagged());
  return info;
}

api::ConceptSummary summary_of(const registry::ConceptRecord& record, const LiveConcept* live,
                               const std::optional<registry::Version>& version,
                               const std::optional<registry::Job>& last_job) {
  api::ConceptSummary summary{.name = record.name,
                              .class_word = record.class_word,
                              .status = status_of(record, live, version, last_job),
                              .photos = static_cast<int>(record.photos.size()),
                              .live_version = record.live_version,
                              .newest_version = record.newest_version,
                              .active_job = record.active_job,
                              .created_at = to_iso8601(record.created_at)};
  if (record.pin) summary.pinned_version = record.pin->version;
  if (version) {
    summary.method = version->method;
    summary.size_bytes = version->delta_bytes;
    summary.learned_at = to_iso8601(version->created_at);
  }
  return summary;
}

}  // namespace conceptd::daemon
