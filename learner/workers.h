// Data parallelism over single-threaded workers: two OpenMP threads stall at every barrier when anything else runs, two
// workers do not.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace conceptd::learner {

class Workers {
 public:
  using Work = std::function<void(int worker, int task)>;
  explicit Workers(int count);
  ~Workers();
  int count() const { return static_cast<int>(threads_.size()); }
  // Runs tasks 0..tasks-1, each on whichever worker is free, and returns when all are done. The first exception is
  // thrown here.
  void run(int tasks, const Work& work);

 private:
  void loop(int worker);
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable start_, finished_;
  const Work* work_ = nullptr;  // guarded by mutex_, as all below
  std::exception_ptr failure_;
  int tasks_ = 0, next_ = 0, running_ = 0;
  bool stopping_ = false;
};

}  // namespace conceptd::learner
