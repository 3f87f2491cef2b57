#include "learner/workers.h"

#include "diffusion/runtime.h"

namespace conceptd::learner {

namespace {
// While any workers live, OpenBLAS has one thread: its pool serves one product at a time, so that two workers would
// wait for each other at every layer, spinning.
std::mutex blas_mutex;
int alive = 0, blas_threads_before = 0;

void begin_single_threaded_blas() {
  const std::lock_guard lock(blas_mutex);
  if (alive++ == 0) blas_threads_before = diffusion::set_blas_threads(1);
}
void end_single_threaded_blas() {
  const std::lock_guard lock(blas_mutex);
  if (--alive == 0 && blas_threads_before > 0) diffusion::set_blas_threads(blas_threads_before);
}
}  // namespace

Workers::Workers(int count) {
  begin_single_threaded_blas();
  for (int k = 0; k < count; ++k) threads_.emplace_back([this, k] { loop(k); });
}

Workers::~Workers() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  start_.notify_all();
  for (auto& thread : threads_) thread.join();
  end_single_threaded_blas();
}

void Workers::run(int tasks, const Work& work) {
  std::unique_lock lock(mutex_);
  work_ = &work, tasks_ = tasks, next_ = 0, failure_ = nullptr;
  start_.notify_all();
  finished_.wait(lock, [&] { return next_ >= tasks_ && running_ == 0; });
  work_ = nullptr;
  if (failure_) std::rethrow_exception(failure_);
}

void Workers::loop(int worker) {
  at::set_num_threads(1);  // OpenMP's count belongs to the calling thread
  std::unique_lock lock(mutex_);
  for (;;) {
    start_.wait(lock, [&] { return stopping_ || (work_ && next_ < tasks_); });
    if (stopping_) return;
    const int task = next_++;
    const auto* work = work_;
    ++running_;
    lock.unlock();
    std::exception_ptr failure;
    try {
      (*work)(worker, task);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure && !failure_) failure_ = failure;
    if (--running_ == 0 && next_ >= tasks_) finished_.notify_all();
  }
}

}  // namespace conceptd::learner
