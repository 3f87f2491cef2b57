// A night: what is done while nobody waits, in the learning window or when somebody asks. Queued concepts are learnt,
// what passed the gate becomes one state, every live concept is drawn again to prove that none was forgotten, and the
// registry is kept well. It ends where its time ends, with what it has; the rows of registry/night_store.h say how far
// it is, and a daemon that starts goes on with a night that was cut off, or closes it as what it was.
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

#include "core/clock.h"
#include "daemon/config.h"
#include "daemon/learning_window.h"
#include "daemon/live_state.h"
#include "daemon/model.h"
#include "daemon/worker_task.h"
#include "registry/night_store.h"
#include "registry/registry.h"

namespace conceptd::daemon {

struct NightSettings {
  NightConfig what{};
  std::optional<LearningWindow> window{};  // none: only when somebody asks
  bool catch_up = true;
  bool learning_waits = false;  // for the window: learn.when
  std::vector<std::string> worker_command{};
  int threads = 0;
  std::int64_t memory_bytes_max = 0;
  bool consolidates = false;  // the worker can
  TaskSettings task{};        // of a worker: must_give_way and stall_s
  std::function<void()> wake_learning{};
  std::chrono::milliseconds poll{1000};
};

class Nights {
 public:
  Nights(registry::Registry& registry, const Model& model, LiveStates& live, const Clock& clock,
         NightSettings settings);
  ~Nights() { stop(); }
  Nights(const Nights&) = delete;
  Nights& operator=(const Nights&) = delete;

  void start();
  void stop();  // a night that runs goes on when the daemon is back

  struct Held {
    registry::Night night{};
    bool joined = false;  // it was running already
  };
  // Begins one now. until: "06:00" in the window's zone; empty: as long as a window is. Error{invalid}.
  Held hold(const std::optional<std::string>& until, const std::string& actor);

  // Whether jobs that are not urgent may run: always, where learning does not wait for the window.
  bool may_learn() const;
  // The night that what is learnt now belongs to.
  std::optional<std::int64_t> collecting() const;
  const std::optional<LearningWindow>& window() const noexcept { return settings_.window; }
  bool learning_waits() const noexcept { return settings_.learning_waits; }

  static inline const std::string kTimeOver = "the night's time was over";  // what a step says that had none

  // In this order. What each does is in night_steps.cpp.
  static const std::vector<std::string>& steps();

 private:
  using Night = registry::Night;
  using Step = registry::NightStep;
  struct Stopping {};  // the daemon stops: the night stays as it is

  void run();
  bool begin_what_is_due();  // whether a night runs now
  void hold_to_its_end(Night night);
  void run_step(const Night& night, Step step);
  void finish(const Night& night);

  // Each changes what its step says; an Error fails the step alone.
  void learn(const Night& night, Step& step);
  void consolidate(const Night& night, Step& step);
  void publish(const Night& night, Step& step);
  void measure(const Night& night, Step& step);
  void collect_garbage(const Night& night, Step& step);
  void verify(const Night& night, Step& step);
  void back_up(const Night& night, Step& step);

  bool is_over(const Night& night) const { return clock_.now() >= night.until; }
  void check_stopping() const;  // throws Stopping
  void wait();                  // a poll; throws Stopping
  void say(const Night& night, Step& step, const std::string& message);
  TaskSettings task_settings(const Night& night) const;  // stopped: its time is over, or the daemon stops
  // False: its time was over before the other work of the learner was. A paused job is not waited for.
  bool wait_for_jobs(const Night& night);

  // Constant after construction.
  registry::Registry& registry_;
  const Model& model_;
  LiveStates& live_;
  const Clock& clock_;
  const NightSettings settings_;

  // Guarded by mutex_.
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool woken_ = false;
  bool learning_ = false;  // the night's first step runs
  std::optional<std::int64_t> collecting_{};

  std::string settled_{};  // the thread's own: the date of the last window that needs no more looking at
  std::thread thread_;
};

}  // namespace conceptd::daemon
