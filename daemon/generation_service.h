// The one place that runs the model: a thread, and a bounded queue before it. Requests that sample alike share a batch.
// What nobody waits for any more is left undone: before it begins, or between two steps.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/error.h"
#include "daemon/model.h"

namespace conceptd::daemon {

struct GenerationLimits {
  int queue_max = 32;                                          // requests waiting
  int batch_max = 1;                                           // pictures at once
  std::chrono::milliseconds grace = std::chrono::seconds(10);  // that stop() leaves to the batch that runs
};

struct Made {
  std::vector<picture::Picture> pictures{};
  double seconds = 0;   // of computing
  double queued_s = 0;  // before it
};

struct GenerationTask {
  Sampling sampling{};
  std::vector<PictureOrder> orders{};
  // Exactly one of them is called, once: on the service's thread, in stop(), or, when nobody waits any more, in
  // submit().
  std::function<void(Made)> done{};
  std::function<void(const Error&)> failed{};
  // True when nobody waits for it any more; null: somebody always does. From any thread.
  std::function<bool()> abandoned{};
};

struct GenerationLoad {
  int running = 0;
  int waiting = 0;
  int limit = 0;
  std::int64_t pictures = 0;  // since the start
};

class GenerationService {
 public:
  GenerationService(Model& model, GenerationLimits limits);
  ~GenerationService() { stop(); }
  GenerationService(const GenerationService&) = delete;
  GenerationService& operator=(const GenerationService&) = delete;

  // Error{busy} when the queue is full, Error{unavailable} after stop().
  void submit(GenerationTask task);
  GenerationLoad load() const;
  bool is_busy() const;  // learning gives way meanwhile
  // The batch that runs may end within the grace; what waits, or takes longer, fails with Error{unavailable}.
  void stop();

 private:
  struct Entry {
    GenerationTask task;
    std::chrono::steady_clock::time_point since;
    std::vector<picture::Picture> pictures{};  // made so far
    double seconds = 0;
    std::optional<double> queued_s{};
  };
  void run();
  bool is_wanted(const std::vector<std::pair<std::shared_ptr<Entry>, std::size_t>>& batch) const;
  std::vector<std::shared_ptr<Entry>> take_abandoned();  // from the queue; under mutex_
  static void dismiss(const std::vector<std::shared_ptr<Entry>>& left);
  // As many orders as one batch takes, from the front and from whoever further back samples alike: entry and count.
  std::vector<std::pair<std::shared_ptr<Entry>, std::size_t>> next_batch();
  void run_batch(const std::vector<std::pair<std::shared_ptr<Entry>, std::size_t>>& batch);

  // Constant after construction.
  Model& model_;
  const GenerationLimits limits_;

  // Guarded by mutex_.
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Entry>> queue_;
  int running_ = 0;
  std::int64_t made_ = 0;
  bool stopping_ = false;
  std::chrono::steady_clock::time_point stop_by_{};  // once stopping_

  std::thread thread_;  // last: it uses the rest
};

}  // namespace conceptd::daemon
