// What is heard of a worker while pictures come first, which jobs share; and one order to a worker and what comes of
// it, for work that is no job of the queue.
#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "daemon/worker_messages.h"
#include "daemon/worker_process.h"

namespace conceptd::daemon {

// Pictures come first, but whoever asks for them all night must not keep a concept from ever being learnt: a worker
// that has waited for so long may work for so long.
class Turns {
 public:
  static constexpr std::chrono::seconds kWaitsAtMost{10}, kThenWorks{1};
  // Whether the worker has to be told something else than before: waiting() says what.
  bool update(bool pictures_wanted, bool must_wait);
  bool waiting() const noexcept { return waiting_; }

 private:
  bool waiting_ = false;
  std::chrono::steady_clock::time_point turned_{};
};

// A worker that was given its order. It is told to wait and to go on as its turns come.
class Hearing {
 public:
  Hearing(WorkerProcess& worker, int stall_s) : worker_(worker), stall_s_(stall_s) {}
  // What it says next; empty: nothing yet, ask again. Error{unavailable} if it is gone or has been silent too long.
  std::optional<std::string> next(bool pictures_wanted, bool must_wait);

 private:
  WorkerProcess& worker_;
  const int stall_s_;
  Turns turns_;
  std::chrono::steady_clock::time_point heard_ = std::chrono::steady_clock::now();
};

struct TaskSettings {
  std::function<bool()> must_give_way{};  // null: never
  std::function<bool()> stopped{};        // then Error{cancelled}
  std::function<void(const WorkerProgress&)> progress{};
  int stall_s = 900;
};

// The worker's last word: a WorkerResult, a WorkerProbe or a WorkerEvaluation. Error as the worker says in a
// WorkerFailure; Error{unavailable} if it is gone or says nothing.
FromWorker ask_worker(WorkerProcess& worker, const ToWorker& order, const TaskSettings& settings);

// What a WorkerFailure means here. Never returns.
[[noreturn]] void rethrow(const WorkerFailure& failure);

}  // namespace conceptd::daemon
