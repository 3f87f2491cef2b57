// One order to a worker and what comes of it, for work that is no job of the queue; and whose turn it is where pictures
// are wanted too, which jobs share.
#pragma once
#include <chrono>
#include <functional>

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

struct TaskSettings {
  std::function<bool()> must_give_way{};  // null: never
  std::function<bool()> stopped{};        // then Error{cancelled}
  std::function<void(const WorkerProgress&)> progress{};
  int stall_s = 900;
};

// The worker's last word: a WorkerResult or a WorkerProbe. Error as the worker says in a WorkerFailure;
// Error{unavailable} if it is gone or says nothing.
FromWorker ask_worker(WorkerProcess& worker, const ToWorker& order, const TaskSettings& settings);

// What a WorkerFailure means here. Never returns.
[[noreturn]] void rethrow(const WorkerFailure& failure);

}  // namespace conceptd::daemon
