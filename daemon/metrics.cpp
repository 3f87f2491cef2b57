#include "daemon/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "daemon/machine.h"
#include "daemon/services.h"
#include "registry/night_store.h"

namespace conceptd::daemon {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

// Numbers that somebody else keeps, read when they are asked for.
class Readings {
 public:
  void put(const std::string& name, const char* help, MetricType type, double value, Labels labels = {}) {
    if (all_.empty() || all_.back().name != name)
      all_.push_back({.name = name, .help = help, .type = type, .metric = {}});
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.gauge.value = metric.counter.value = value;
    all_.back().metric.push_back(std::move(metric));
  }
  void gauge(const std::string& name, const char* help, double value, Labels labels = {}) {
    put(name, help, MetricType::Gauge, value, std::move(labels));
  }
  void counter(const std::string& name, const char* help, double value, Labels labels = {}) {
    put(name, help, MetricType::Counter, value, std::move(labels));
  }
  std::vector<MetricFamily> take() { return std::move(all_); }

 private:
  std::vector<MetricFamily> all_;
};

void read_process(Readings& readings) {
  const ProcessUse use = process_use();
  readings.counter("process_cpu_seconds_total", "User and system time of this process", use.cpu_seconds);
  readings.gauge("process_resident_memory_bytes", "RAM of this process", static_cast<double>(use.resident_bytes));
  readings.gauge("process_open_fds", "Open descriptors of this process", use.open_descriptors);
}

void read_registry(Readings& readings, const Services& services) {
  const registry::Counts counts = services.registry.counts();
  const auto number = [](std::int64_t value) { return static_cast<double>(value); };
  readings.gauge("conceptd_state_id", "The published state", number(counts.head));
  readings.gauge("conceptd_concepts", "Concepts that are not removed", number(counts.concepts));
  readings.gauge("conceptd_versions", "Versions of all concepts", number(counts.versions));
  readings.gauge("conceptd_photos", "Stored photos", number(counts.photos));
  const char* jobs = "Long work by state";
  readings.gauge("conceptd_jobs", jobs, number(counts.jobs_queued), {{"state", "queued"}});
  readings.gauge("conceptd_jobs", jobs, number(counts.jobs_running), {{"state", "running"}});
  readings.gauge("conceptd_jobs", jobs, number(counts.jobs_done), {{"state", "done"}});
  readings.gauge("conceptd_jobs", jobs, number(counts.jobs_failed), {{"state", "failed"}});
  readings.gauge("conceptd_jobs", jobs, number(counts.jobs_cancelled), {{"state", "cancelled"}});
  readings.gauge("conceptd_learning_paused", "1 while nothing is learnt because somebody said so",
                 services.registry.jobs().paused() ? 1 : 0);
  if (const auto nights = services.registry.nights().list(1); !nights.empty()) {
    const registry::Night& night = nights.front();
    for (const auto state : {registry::NightState::running, registry::NightState::done, registry::NightState::stopped,
                             registry::NightState::failed})
      readings.gauge("conceptd_night", "The newest night, by what became of it", night.state == state ? 1 : 0,
                     {{"state", std::string(to_string(state))}});
    readings.gauge("conceptd_night_began_seconds", "When the newest night began, Unix time",
                   number(to_unix_ms(night.began_at)) / 1000);
    for (const registry::NightStep& step : night.steps)
      readings.gauge("conceptd_night_step_seconds", "What the steps of the newest night took", step.seconds,
                     {{"step", step.name}});
  }
  readings.gauge("conceptd_database_bytes", "The registry's database", number(counts.database_bytes));
}

void read_services(Readings& readings, const Services& services) {
  const GenerationLoad load = services.generation.load();
  readings.gauge("conceptd_build_info", "Always 1", 1, {{"release", CONCEPTD_VERSION}});
  readings.gauge("conceptd_start_time_seconds", "When the daemon started, Unix time",
                 static_cast<double>(to_unix_ms(services.started_at)) / 1000);
  bool ready = true;
  for (const Check& check : readiness(services)) ready = ready && check.ok;
  readings.gauge("conceptd_ready", "1 if /readyz says so", ready ? 1 : 0);
  readings.gauge("conceptd_generate_running", "Pictures being made", load.running);
  readings.gauge("conceptd_generate_waiting", "Requests for pictures that wait", load.waiting);
  readings.counter("conceptd_pictures_total", "Pictures made", static_cast<double>(load.pictures));
  readings.gauge("conceptd_disk_free_bytes", "Where the data lies",
                 static_cast<double>(disk_free_bytes(services.config.data_dir)));
}

}  // namespace

struct Metrics::Impl {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests = prometheus::BuildCounter()
                                                          .Name("conceptd_requests_total")
                                                          .Help("Answered requests by route and status")
                                                          .Register(registry);
  prometheus::Family<prometheus::Histogram>& seconds = prometheus::BuildHistogram()
                                                           .Name("conceptd_request_seconds")
                                                           .Help("From a request's last byte to its answer")
                                                           .Register(registry);
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

void Metrics::answered(std::string_view method, std::string_view route, int status, double seconds) {
  const std::string verb = method == "GET" || method == "POST" || method == "DELETE" || method == "PUT"
                               ? std::string(method)
                               : std::string("other");
  impl_->requests.Add({{"method", verb}, {"route", std::string(route)}, {"code", std::to_string(status)}}).Increment();
  impl_->seconds.Add({{"route", std::string(route)}}, prometheus::Histogram::BucketBoundaries{.01, .1, 1, 10, 60})
      .Observe(seconds);
}

void Metrics::refused(int status) {
  impl_->requests.Add({{"method", "other"}, {"route", "refused"}, {"code", std::to_string(status)}}).Increment();
}

std::string Metrics::text(const Services& services) const {
  std::vector<MetricFamily> all = impl_->registry.Collect();
  Readings readings;
  read_services(readings, services);
  read_registry(readings, services);
  read_process(readings);
  for (MetricFamily& family : readings.take()) all.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(all);
}

std::vector<Check> readiness(const Services& services) {
  const auto live = services.live.now();
  std::string unusable;
  for (const auto& [name, item] : live->concepts)
    if (!item.problem.empty()) unusable += (unusable.empty() ? "" : ", ") + name;
  const std::int64_t left = disk_free_bytes(services.config.data_dir);
  const std::int64_t floor = std::int64_t{services.config.disk_floor_mb} << 20;
  return {{.name = "schema", .message = "the database is at " + services.registry.schema()},
          {.name = "base", .message = services.model.facts().name + " is loaded"},
          {.name = "state",
           .ok = unusable.empty(),
           .message = unusable.empty() ? "state " + std::to_string(live->state->id) + " is served"
                                       : "cannot be used on this base: " + unusable},
          {.name = "disk",
           .ok = left < 0 || left >= floor,
           .message = std::to_string(left >> 20) + " MB are free where the data lies; the floor is " +
                      std::to_string(services.config.disk_floor_mb) + " MB"},
          {.name = "registry",
           .ok = services.registry.is_writable(),
           .message = services.registry.is_writable() ? "the last write went through"
                                                      : "the last write failed; make room, or see the log"}};
}

}  // namespace conceptd::daemon
