#include <unistd.h>

#include "daemon/api/wire.h"
#include "daemon/confine.h"
#include "daemon/machine.h"
#include "daemon/metrics.h"
#include "daemon/routes.h"
#include "daemon/to_api.h"

namespace conceptd::daemon {
namespace {

constexpr std::int64_t kDiskLow = 1ll << 30;
constexpr int kJobsAveraged = 3;

api::CountsInfo counted(const registry::Counts& counts) {
  return {.concepts = counts.concepts,
          .photos = counts.photos,
          .photo_bytes = counts.photo_bytes,
          .versions = counts.versions,
          .delta_bytes = counts.delta_bytes,
          .states = counts.states,
          .jobs_queued = counts.jobs_queued,
          .jobs_running = counts.jobs_running,
          .jobs_done = counts.jobs_done,
          .jobs_failed = counts.jobs_failed,
          .database_bytes = counts.database_bytes};
}

}  // namespace

std::vector<api::MethodInfo> methods_of(const Services& services) {
  const ModelFacts& facts = services.model.facts();
  const auto jobs = services.registry.jobs().list(
      {.state = registry::JobState::done, .kind = registry::JobKind::learn, .limit = 100});
  std::vector<api::MethodInfo> methods;
  for (const std::string& name : facts.methods) {
    api::MethodInfo method{.name = name};
    method.is_default = services.config.method.empty() ? name == facts.methods.front() : name == services.config.method;
    double seconds = 0;
    int counted = 0;
    for (const registry::Job& job : jobs) {
      if (counted == kJobsAveraged) break;
      if (job.draft || learn_settings(job).method != name || !job.started_at || !job.finished_at) continue;
      seconds += std::chrono::duration<double>(*job.finished_at - *job.started_at).count();
      ++counted;
    }
    if (counted > 0) method.typical_seconds = seconds / counted;
    methods.push_back(std::move(method));
  }
  return methods;
}

HttpResponse show_readiness(const Services& services) {
  api::Readiness answer{.ready = true};
  for (const Check& check : readiness(services)) {
    answer.ready = answer.ready && check.ok;
    answer.checks.push_back({.name = check.name, .ok = check.ok, .message = check.message});
  }
  return json_response(api::encode(answer), answer.ready ? 200 : 503);
}

HttpResponse show_metrics(const Services& services) {
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = services.metrics.text(services)};
}

HttpResponse show_status(const Services& services) {
  const ModelFacts& facts = services.model.facts();
  const auto live = services.live.now();
  const GenerationLoad load = services.generation.load();
  api::Status status{
      .release = CONCEPTD_VERSION,
      .started_at = to_iso8601(services.started_at),
      .uptime_s = std::chrono::duration<double>(services.clock.now() - services.started_at).count(),
      .pid = ::getpid(),
      .socket = services.config.socket.string(),
      .data_dir = services.config.data_dir.string(),
      .disk_free_bytes = disk_free_bytes(services.config.data_dir),
      .base = {.name = facts.name,
               .folder = facts.folder,
               .fingerprint = facts.fingerprint,
               .width = facts.side,
               .height = facts.side},
      .state = {.id = live->state->id,
                .concepts = static_cast<int>(live->state->entries.size()),
                .reason = live->state->reason,
                .created_at = to_iso8601(live->state->created_at)},
      .counts = counted(services.registry.counts()),
      .queue = {.running = load.running, .waiting = load.waiting, .limit = load.limit, .pictures = load.pictures},
      .machine = {.cpus = facts.cpus,
                  .threads = facts.threads,
                  .learn_threads = services.config.learn_threads > 0 ? services.config.learn_threads : facts.threads,
                  .dtype = facts.dtype,
                  .blas = facts.blas,
                  .capability = facts.capability},
      .methods = methods_of(services),
      .samplers = facts.samplers,
      .warnings = facts.warnings};
  status.paused = pause_now(services);
  status.window = window_now(services);
  if (const auto nights = services.registry.nights().list(1); !nights.empty()) status.night = to_api(nights.front());
  for (const registry::Job& job : services.registry.jobs().list({.state = registry::JobState::running, .limit = 2}))
    if (!status.running_job || !job.draft) status.running_job = job_info(services, job);
  for (const auto& [name, item] : live->concepts)
    if (!item.problem.empty()) status.warnings.push_back(name + " cannot be used: " + item.problem);
  if (!confines_system_calls()) status.warnings.push_back("photos are decoded " + std::string(confinement()));
  if (status.disk_free_bytes >= 0 && status.disk_free_bytes < kDiskLow)
    status.warnings.push_back("less than 1 GB of disk is left for " + status.data_dir);
  return json_response(api::encode(status));
}

}  // namespace conceptd::daemon
