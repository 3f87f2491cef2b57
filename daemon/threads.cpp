#include "daemon/threads.h"

#include <string>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/log.h"

namespace conceptd::daemon {

std::thread start_thread(std::string_view doing, std::function<void()> run) {
  try {
    return std::thread(std::move(run));
  } catch (const std::system_error& error) {
    throw Error(Code::unavailable,
                "there is no thread for " + std::string(doing) + ": " + error.what() +
                    "; allow more of them (ulimit -u, TasksMax= of the unit) or more memory (ulimit -v)");
  }
}

HandlerPool::HandlerPool(int threads) {
  threads_.reserve(static_cast<std::size_t>(threads));
  try {
    for (int i = 0; i < threads; ++i) threads_.push_back(start_thread("requests", [this] { run(); }));
  } catch (...) {
    join();
    throw;
  }
}

void HandlerPool::run() {
  for (;;) {
    try {
      io_.run();
      return;
    } catch (const std::exception& error) {
      spdlog::error("handling a request: {}", error.what());
    }
  }
}

void HandlerPool::join() {
  work_.reset();
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

}  // namespace conceptd::daemon
