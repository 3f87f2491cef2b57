#include "daemon/daemon.h"

#include <algorithm>

#include "core/log.h"
#include "daemon/access.h"
#include "daemon/access_config.h"
#include "daemon/confine.h"
#include "daemon/evaluations.h"
#include "daemon/generation_service.h"
#include "daemon/http_server.h"
#include "daemon/job_runner.h"
#include "daemon/live_state.h"
#include "daemon/machine.h"
#include "daemon/metrics.h"
#include "daemon/nights.h"
#include "daemon/routes.h"
#include "registry/registry.h"
#include "registry/token_store.h"

namespace conceptd::daemon {
namespace {

using namespace std::chrono_literals;

}  // namespace

Daemon::Daemon(Config config, const Clock& clock, DaemonParts parts)
    : config_(std::move(config)),
      clock_(clock),
      parts_(std::move(parts)),
      decoder_{.command = parts_.decode_command,
               .limits = {.side_min = config_.photo_side_min, .side_max = config_.photo_side_max}} {}

Daemon::~Daemon() { stop(); }

void Daemon::start() {
  const TimePoint started_at = clock_.now();
  PhotoDecoder{decoder_};  // rather now than when the first photo comes
  registry_ = registry::Registry::open(config_.data_dir, clock_,
                                       {.photos_max = config_.photos_max, .jobs_queued_max = config_.jobs_queued_max});
  if (const int back = registry_->jobs().requeue_expired(/*all_running=*/true); back > 0)
    spdlog::warn("{} jobs were running when the daemon ended; they are queued again", back);
  model_ = parts_.open_model(config_);
  const auto check = [](const std::string& chosen, const std::vector<std::string>& known, const std::string& setting) {
    if (!chosen.empty() && std::find(known.begin(), known.end(), chosen) == known.end())
      throw Error(Code::invalid, setting + ": there is none called '" + chosen + "'", "config");
  };
  check(config_.method, model_->facts().methods, "learn.method");
  check(config_.sampler, model_->facts().samplers, "generate.sampler");
  for (const std::string& warning : model_->facts().warnings) spdlog::warn("{}", warning);
  live_ = std::make_unique<LiveStates>(*registry_, *model_);
  live_->now();
  generation_ = std::make_unique<GenerationService>(
      *model_, GenerationLimits{.queue_max = config_.queue_max, .batch_max = config_.batch_max});
  const TaskSettings task{.must_give_way = [this] { return generation_->is_busy(); }, .stall_s = config_.stall_s};
  const std::int64_t learn_memory =
      config_.learn_memory_mb > 0 ? std::int64_t{config_.learn_memory_mb} << 20 : memory_bytes() / 4 * 3;
  const int learn_threads = config_.learn_threads > 0 ? config_.learn_threads : config_.threads;
  nights_ = std::make_unique<Nights>(*registry_, *model_, *live_, clock_,
                                     NightSettings{.what = config_.night,
                                                   .window = learning_window(config_.window),
                                                   .catch_up = config_.window.catch_up,
                                                   .learning_waits = config_.learn_when == "window",
                                                   .worker_command = parts_.worker_command,
                                                   .threads = learn_threads,
                                                   .memory_bytes_max = learn_memory,
                                                   .consolidates = parts_.consolidates,
                                                   .task = task,
                                                   .wake_learning = [this] { runner_->wake(); },
                                                   .poll = parts_.night_poll});
  runner_ = std::make_unique<JobRunners>(*registry_, *model_, *live_,
                                         RunnerSettings{.worker_command = parts_.worker_command,
                                                        .gate = config_.gate,
                                                        .stall_s = config_.stall_s,
                                                        .threads = learn_threads,
                                                        .memory_bytes_max = learn_memory,
                                                        .must_give_way = task.must_give_way,
                                                        .may_learn = [this] { return nights_->may_learn(); },
                                                        .collecting_night = [this] { return nights_->collecting(); }});
  evaluations_ = std::make_unique<Evaluations>(*registry_, *model_,
                                               EvaluationSettings{.worker_command = parts_.worker_command,
                                                                  .threads = learn_threads,
                                                                  .memory_bytes_max = learn_memory,
                                                                  .task = task});
  metrics_ = std::make_unique<Metrics>();
  routes_ = std::make_unique<Routes>(Services{.config = config_,
                                              .clock = clock_,
                                              .registry = *registry_,
                                              .model = *model_,
                                              .live = *live_,
                                              .generation = *generation_,
                                              .nights = *nights_,
                                              .evaluations = *evaluations_,
                                              .runner = *runner_,
                                              .decoder = decoder_,
                                              .metrics = *metrics_,
                                              .started_at = started_at});
  access_ = std::make_unique<Access>(access_rules(config_), registry_->tokens());
  server_ = std::make_unique<HttpServer>(
      HttpHost{.handle = [this](HttpRequest request, const Respond& respond) { handle(std::move(request), respond); },
               .admit =
                   [this](const HttpHead& head, const HttpPeer& peer) {
                     Admission admission = access_->admit(head, peer, Routes::needs(head.method, head.path));
                     if (admission.refused) metrics_->refused(admission.refused->status);
                     return admission;
                   },
               .lane = &Routes::lane,
               .refuse =
                   [this](int status, const std::string& message) {
                     metrics_->refused(status);
                     return Routes::refuse(status, message);
                   }},
      parts_.http);
  server_->listen(config_.socket);
  if (const auto tcp = tcp_listener(config_)) {
    tcp_port_ = server_->listen_tcp(tcp->at, tcp->tls);
    spdlog::info("conceptd listens on {}, port {}, {}", tcp->at.host, tcp_port_,
                 tcp->tls ? "through TLS" : "without TLS");
  }
  runner_->start();
  nights_->start();
  evaluations_->start();
  spdlog::info("photos are decoded by {}, {}", decoder_.command.front(), confinement());
  spdlog::info("conceptd {} listens on {}; base {} {}, state {} with {} concepts", CONCEPTD_VERSION,
               config_.socket.string(), model_->facts().name, model_->facts().fingerprint.substr(0, 12),
               live_->now()->state->id, live_->now()->concepts.size());
}

void Daemon::handle(HttpRequest request, const Respond& respond) {
  try {
    const bool waits = Routes::lane(request.method, request.path) != Lane::at_once;
    if (request.caller.token && waits) registry_->tokens().note_use(*request.caller.token);
  } catch (const std::exception& error) {
    spdlog::error("noting the use of a token: {}", error.what());  // the request is none the worse for it
  }
  routes_->handle(std::move(request), respond);
}

void Daemon::reload() {
  if (server_) server_->reload_tls();
}

void Daemon::stop() {
  if (server_) server_->stop_accepting();
  if (nights_) nights_->stop();
  if (evaluations_) evaluations_->stop();
  if (runner_) runner_->stop();
  if (generation_) generation_->stop();
  if (server_) server_->stop(5s);
  server_.reset();
  access_.reset();
  routes_.reset();
  metrics_.reset();
  evaluations_.reset();
  runner_.reset();
  nights_.reset();
  generation_.reset();
  live_.reset();
  model_.reset();
  registry_.reset();
}

}  // namespace conceptd::daemon
