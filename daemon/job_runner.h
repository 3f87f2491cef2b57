// Runs the jobs of the registry's queue, one at a time and drafts beside them, each in a child process of its own. A
// worker that crashes, is killed or falls silent costs its job an attempt and nobody else anything. What it learnt is
// loaded before it is published, so what cannot be used is never served.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "daemon/live_state.h"
#include "daemon/model.h"
#include "registry/registry.h"

namespace conceptd::daemon {

class WorkerProcess;
struct WorkerResult;

struct RunnerSettings {
  std::vector<std::string> worker_command{};  // its first word is a path
  std::string gate = "block";                 // of api::kGateModes
  std::optional<bool> drafts{};               // which jobs: drafts, or all others; empty: all
  int lease_s = 120;
  int stall_s = 900;
  int threads = 0;
  std::int64_t memory_bytes_max = 0;          // of a worker; 0: no limit
  std::chrono::milliseconds heartbeat{2000};  // how often progress becomes durable
  std::function<bool()> must_give_way{};      // true while pictures are being made or wait
  std::function<bool()> may_learn{};          // false: only what is urgent, the learning window is shut; null: true
  std::function<void()> when_over{};          // called when a job has ended; null: nobody waits for that
  std::function<std::optional<std::int64_t>()> collecting_night{};  // which publishes what is learnt now; null: none
};

class JobRunner {
 public:
  JobRunner(registry::Registry& registry, const Model& model, LiveStates& live, RunnerSettings settings);
  ~JobRunner() { stop(); }
  JobRunner(const JobRunner&) = delete;
  JobRunner& operator=(const JobRunner&) = delete;

  void start();
  // The job that runs goes back to the queue as if it had never begun.
  void stop();
  bool is_running() const;
  void wake();  // there may be something to do, or to stop doing: a job came, somebody paused or resumed
  void note_cancelled(
      std::int64_t id);  // the queue knows already; ends its worker now instead of at its next heartbeat
  // Of the job that runs: fresher than what the registry has. Empty if it is not this one.
  std::optional<registry::Progress> progress(std::int64_t id) const;
  std::optional<std::string> preview(std::int64_t id) const;  // PNG

 private:
  void run();
  void run_job(const registry::Job& job);
  // Until the worker hands over a result.
  WorkerResult supervise(const registry::Job& job, WorkerProcess& worker);
  // Progress becomes durable and the lease longer. False: somebody wants the worker to wait, or the registry cannot be
  // written just now.
  bool beat(const registry::Job& job, const registry::Progress& progress);
  void keep(const registry::Job& job, const std::string& checkpoint);
  std::optional<WorkerResult> take(const registry::Job& job, const std::string& bytes);  // one message
  // head: the state when the order was made, which the verdict holds against.
  void commit(const registry::Job& job, const registry::State& head, WorkerResult result);
  void note(const registry::Progress& progress);

  // Constant after construction.
  registry::Registry& registry_;
  const Model& model_;
  LiveStates& live_;
  const RunnerSettings settings_;

  // Guarded by mutex_.
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool woken_ = false;
  std::int64_t running_ = 0;  // 0: none
  bool cancelled_ = false;    // running_ was
  registry::Progress progress_;
  std::string preview_;

  std::thread thread_;
};

// Who learns: drafts beside whatever else is learnt, which waits as it does while pictures are made.
class JobRunners {
 public:
  JobRunners(registry::Registry& registry, const Model& model, LiveStates& live, const RunnerSettings& settings);
  ~JobRunners() { stop(); }
  JobRunners(const JobRunners&) = delete;
  JobRunners& operator=(const JobRunners&) = delete;
  void start();
  void stop();
  // As JobRunner, of whichever has the job.
  void wake();
  void note_cancelled(std::int64_t id);
  std::optional<registry::Progress> progress(std::int64_t id) const;
  std::optional<std::string> preview(std::int64_t id) const;

 private:
  JobRunner drafts_, others_;
};

// What a learn job's settings mean to the worker.
struct LearnSettings {
  std::string method{};
  std::uint64_t seed = 0;
  Json rest = Json::object();  // the method's own
};
Json job_settings(const LearnSettings& settings);
LearnSettings learn_settings(const registry::Job& job);

}  // namespace conceptd::daemon
