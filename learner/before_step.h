// A call between the steps of pictures that several workers draw at once.
#pragma once
#include <exception>
#include <functional>
#include <mutex>

#include "diffusion/steering.h"

namespace conceptd::learner {

// Workers ask in turn; once one was told to stop, by what the call throws, so are the others.
class BeforeStep : public diffusion::Steering {
 public:
  explicit BeforeStep(const std::function<void()>& call) : call_(call) {}  // outlives this; may be empty
  void before_step(diffusion::Step&) override {
    if (!call_) return;
    const std::lock_guard lock(mutex_);
    if (stopped_) std::rethrow_exception(stopped_);
    try {
      call_();
    } catch (...) {
      stopped_ = std::current_exception();
      throw;
    }
  }

 private:
  const std::function<void()>& call_;
  std::mutex mutex_;
  std::exception_ptr stopped_;
};

}  // namespace conceptd::learner
