#include "daemon/job_runner.h"

#include "core/log.h"
#include "daemon/learn_worker.h"
#include "daemon/threads.h"
#include "daemon/worker_messages.h"
#include "daemon/worker_process.h"
#include "daemon/worker_task.h"

namespace conceptd::daemon {
namespace {

using namespace std::chrono_literals;
using Monotonic = std::chrono::steady_clock;
using registry::Job;

constexpr auto kIdle = 5s;
constexpr auto kPatience = 3s;  // with a worker that was told to end
constexpr int kRebasesMax = 3;

// The job is no longer ours: cancelled, or its lease is lost, or the daemon stops.
struct Abandoned {
  bool stopping = false;
};

// Would another attempt end otherwise?
bool may_pass(const Error& error) {
  const Code code = error.code();
  return code != Code::invalid && code != Code::conflict && code != Code::not_found && code != Code::cancelled &&
         !dynamic_cast<const Hopeless*>(&error);
}

// The disk is full, or the like: nothing is wrong with the job, and it goes on when there is room.
bool is_of_storage(const Error& error) { return error.code() == Code::unavailable || error.code() == Code::busy; }

// A word to the queue on behalf of a job that runs. A disk without room is waited out; a job that is no longer ours is
// Abandoned.
template <typename Say>
void ask_queue(const Job& job, const char* trouble, Say&& say) {
  try {
    say();
  } catch (const Error& error) {
    if (error.code() == Code::cancelled || error.code() == Code::conflict) throw Abandoned{};
    if (!is_of_storage(error)) throw;
    spdlog::warn("job {} ({}): {}: {}", job.id, job.name, trouble, error.what());
  }
}

// Of what is published in a state; null: the concept is not in it.
const registry::StateEntry* entry_of(const registry::State& state, const std::string& name) {
  const auto found = state.entries.find(name);
  return found == state.entries.end() ? nullptr : &found->second;
}

std::optional<int> version_in(const registry::State& state, const std::string& name) {
  const auto* entry = entry_of(state, name);
  return entry ? std::optional(entry->version) : std::nullopt;
}

bool may_learn(const RunnerSettings& settings) { return !settings.may_learn || settings.may_learn(); }

// Empty where its bytes are damaged: learning again is how that is mended.
std::string readable(const registry::Registry& registry, const registry::StateEntry& live, const Job& job) {
  try {
    return registry.delta(live.delta);
  } catch (const Error& error) {
    if (error.code() != Code::corrupt) throw;
    spdlog::warn("job {} ({}): judged without the published version: {}", job.id, job.name, error.what());
    return {};
  }
}

LearnOrder order_for(registry::Registry& registry, const Model& model, const Job& job, const RunnerSettings& runner,
                     const registry::State& head) {
  const LearnSettings settings = learn_settings(job);
  const registry::ConceptRecord record = registry.show(registry::ConceptName::parse(job.name));
  LearnOrder order{.job = job.id,
                   .name = job.name,
                   .class_word = record.class_word,
                   .method = settings.method,
                   .settings = settings.rest.dump(),
                   .seed = settings.seed,
                   .base_folder = model.facts().folder,
                   .base_fingerprint = model.facts().fingerprint,
                   .dtype = model.facts().dtype,
                   .threads = runner.threads,
                   .memory_bytes_max = runner.memory_bytes_max,
                   .checkpoint = registry.jobs().checkpoint(job.id),
                   .gate = runner.gate,
                   .light_gate = job.draft};
  const auto* live = entry_of(head, job.name);
  if (live && live->base_fingerprint == order.base_fingerprint) {
    order.published = readable(registry, *live, job);
    order.published_is_draft = registry.version(registry::ConceptName::parse(job.name), live->version).draft;
  }
  for (const registry::Photo& photo : record.photos) order.photos.push_back(registry.photo(photo.digest));
  return order;
}

}  // namespace

Json job_settings(const LearnSettings& settings) {
  return {{"method", settings.method}, {"seed", settings.seed}, {"settings", settings.rest}};
}

LearnSettings learn_settings(const Job& job) {
  LearnSettings settings{.method = job.settings.value("method", std::string()),
                         .seed = job.settings.value("seed", std::uint64_t{0}),
                         .rest = job.settings.value("settings", Json::object())};
  return settings;
}

JobRunner::JobRunner(registry::Registry& registry, const Model& model, LiveStates& live, RunnerSettings settings)
    : registry_(registry), model_(model), live_(live), settings_(std::move(settings)) {}

void JobRunner::start() {
  thread_ = start_thread("learning", [this] { run(); });
}

void JobRunner::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void JobRunner::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

void JobRunner::note_cancelled(std::int64_t id) {
  {
    const std::lock_guard lock(mutex_);
    if (running_ == id) cancelled_ = true;
  }
  changed_.notify_all();
}

bool JobRunner::is_running() const {
  const std::lock_guard lock(mutex_);
  return running_ != 0;
}

std::optional<registry::Progress> JobRunner::progress(std::int64_t id) const {
  const std::lock_guard lock(mutex_);
  return running_ == id ? std::optional(progress_) : std::nullopt;
}

std::optional<std::string> JobRunner::preview(std::int64_t id) const {
  const std::lock_guard lock(mutex_);
  return running_ == id && !preview_.empty() ? std::optional(preview_) : std::nullopt;
}

void JobRunner::note(const registry::Progress& progress) {
  const std::lock_guard lock(mutex_);
  progress_ = progress;
}

void JobRunner::run() {
  for (;;) {
    std::optional<Job> job;
    try {
      job = registry_.jobs().lease_next("conceptd", settings_.lease_s,
                                        {.urgent_only = !may_learn(settings_), .drafts = settings_.drafts});
    } catch (const std::exception& error) {
      spdlog::error("looking for the next job: {}", error.what());
    }
    {
      std::unique_lock lock(mutex_);
      if (!job) changed_.wait_for(lock, kIdle, [&] { return stopping_ || woken_; });
      woken_ = false;
      if (stopping_ && !job) return;
      running_ = job ? job->id : 0;
      cancelled_ = false;
      progress_ = {.eta_s = -1, .message = "starting"};
      preview_.clear();
    }
    if (!job) continue;
    try {
      run_job(*job);
    } catch (const std::exception& error) {  // the registry itself failed; the lease brings the job back
      spdlog::error("job {} ({}): {}", job->id, job->name, error.what());
    }
    {
      const std::lock_guard lock(mutex_);
      running_ = 0;
      if (stopping_) return;
    }
    if (settings_.when_over) settings_.when_over();
  }
}

void JobRunner::run_job(const Job& job) {
  spdlog::info("job {}: learning {}, attempt {} of {}", job.id, job.name, job.attempts, job.attempts_max);
  std::optional<Error> failure;
  bool again = false;
  try {
    const auto head = registry_.head();
    WorkerProcess worker(settings_.worker_command);
    const std::string order = pack(ToWorker(order_for(registry_, model_, job, settings_, *head)));
    try {
      worker.channel().send(order);
    } catch (const Error&) {
      throw Error(Code::unavailable, "the worker did not start: " + worker.end(kPatience));
    }
    WorkerResult result = supervise(job, worker);
    worker.end(kPatience);
    commit(job, *head, std::move(result));
    return;
  } catch (const Abandoned& abandoned) {
    spdlog::info("job {} ({}): {}", job.id, job.name, abandoned.stopping ? "goes back to the queue" : "was cancelled");
    if (abandoned.stopping) registry_.jobs().release(job.id, job.fence);
    return;
  } catch (const Error& error) {
    failure = error;
    again = may_pass(error);
  }
  const auto state = registry_.jobs().fail(job.id, job.fence, failure->code(), failure->what(), again);
  spdlog::warn("job {} ({}) failed: {}; it is {} now", job.id, job.name, failure->what(), to_string(state));
}

bool JobRunner::beat(const Job& job, const registry::Progress& progress) {
  bool may_work = false;
  ask_queue(job, "progress cannot be kept", [&] {
    registry_.jobs().heartbeat(job.id, job.fence, progress, settings_.lease_s);
    may_work = !registry_.jobs().paused();
  });
  return may_work;
}

void JobRunner::keep(const Job& job, const std::string& checkpoint) {  // if it fails, the one before still stands
  ask_queue(job, "a checkpoint cannot be kept",
            [&] { registry_.jobs().keep_checkpoint(job.id, job.fence, checkpoint); });
}

std::optional<WorkerResult> JobRunner::take(const Job& job, const std::string& bytes) {
  FromWorker message = unpack_from_worker(bytes);
  if (auto* result = std::get_if<WorkerResult>(&message)) return std::move(*result);
  if (const auto* failed = std::get_if<WorkerFailure>(&message)) rethrow(*failed);
  if (const auto* kept = std::get_if<WorkerCheckpoint>(&message)) keep(job, kept->bytes);
  if (auto* picture = std::get_if<WorkerPreview>(&message)) {
    const std::lock_guard lock(mutex_);
    preview_ = std::move(picture->png);
  }
  if (const auto* step = std::get_if<WorkerProgress>(&message)) {
    if (!step->message.empty()) spdlog::info("job {} ({}): {}", job.id, job.name, step->message);
    note({.step = static_cast<int>(step->step),
          .steps = static_cast<int>(step->steps),
          .loss = step->loss,
          .eta_s = step->eta_s,
          .message = step->message});
  }
  return std::nullopt;
}

WorkerResult JobRunner::supervise(const Job& job, WorkerProcess& worker) {
  Hearing hearing(worker, settings_.stall_s);
  auto beaten = Monotonic::time_point{};
  bool may_work = true;
  for (;;) {
    registry::Progress progress;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_ || cancelled_) throw Abandoned{.stopping = !cancelled_};  // and the worker with it
      progress = progress_;
      if (std::exchange(woken_, false)) beaten = {};
    }
    if (Monotonic::now() - beaten >= settings_.heartbeat) {
      may_work = beat(job, progress);
      beaten = Monotonic::now();
    }
    if (!job.urgent && !may_learn(settings_)) throw Abandoned{.stopping = true};  // until the window opens again
    const auto bytes = hearing.next(settings_.must_give_way && settings_.must_give_way(), !may_work);
    if (!bytes) continue;
    if (auto result = take(job, *bytes)) return std::move(*result);
  }
}

void JobRunner::commit(const Job& job, const registry::State& head, WorkerResult result) {
  const auto parent = version_in(head, job.name);
  const DeltaHandle usable = model_.load(result.delta, "what " + job.name + " learnt");
  if (!usable) throw Error(Code::internal, "the delta could not be loaded");
  registry::CommitRequest request{
      .job = job.id,
      .fence = job.fence,
      .version = {.name = registry::ConceptName::parse(job.name),
                  .method = learn_settings(job).method,
                  .base_fingerprint = model_.facts().fingerprint,
                  .delta = std::move(result.delta),
                  .parent = parent,
                  .seed = learn_settings(job).seed,
                  .settings = parse_json(result.settings, "the worker's settings"),
                  .metrics = parse_json(result.metrics, "the worker's metrics"),
                  .verdict = result.accepted ? registry::Verdict::accepted : registry::Verdict::rejected,
                  .verdict_reason = std::move(result.verdict_reason),
                  .preview_png = preview(job.id).value_or("")},
      .expected_head = head.id,
      .actor = "conceptd",
      .reason = (job.draft ? "drafted " : "learnt ") + job.name};
  if (!job.urgent && settings_.collecting_night) request.night = settings_.collecting_night();
  for (int rebase = 0;;) {
    std::optional<registry::CommitOutcome> outcome;
    ask_queue(job, "what it learnt cannot be stored yet", [&] { outcome = registry_.commit_learned(request); });
    if (!outcome) {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, settings_.heartbeat, [&] { return stopping_ || cancelled_; });
      if (stopping_ || cancelled_) throw Abandoned{.stopping = !cancelled_};
      continue;
    }
    if (const auto* done = std::get_if<registry::Committed>(&*outcome)) {
      if (done->version.verdict == registry::Verdict::rejected) {
        spdlog::warn("job {}: {} version {} is kept and not published: {}", job.id, job.name, done->version.number,
                     done->version.verdict_reason);
        return;
      }
      if (done->night) {
        spdlog::info("job {}: {} version {} is kept for the state that night {} publishes", job.id, job.name,
                     done->version.number, *done->night);
        return;
      }
      if (done->held) {
        spdlog::info("job {}: {} version {} is kept and not published, as {} is pinned", job.id, job.name,
                     done->version.number, job.name);
        return;
      }
      live_.now();  // loads it before anybody asks
      spdlog::info("job {}: {} version {} is live in state {}", job.id, job.name, done->version.number,
                   done->state->id);
      return;
    }
    // Where another concept moved the head, the delta and its verdict hold on the new one too.
    const auto& moved = *std::get<registry::Conflict>(*outcome).head;
    if (version_in(moved, job.name) != parent)
      throw Error(Code::unavailable,
                  job.name + " was published otherwise while this version was judged beside the old one");
    if (++rebase > kRebasesMax)
      throw Error(Code::unavailable, "the published state kept changing while this one was to be published");
    request.expected_head = moved.id;
  }
}

}  // namespace conceptd::daemon
