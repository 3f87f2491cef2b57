// Threads, for a daemon that may not get as many as it asks for.
#pragma once
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <string_view>
#include <thread>
#include <vector>

namespace conceptd::daemon {

// Error{unavailable} that says which limit to raise. doing: "making pictures".
std::thread start_thread(std::string_view doing, std::function<void()> run);

// Runs what is posted to io() on threads of its own; what throws there is logged, and the others go on. In place of
// asio::thread_pool, which ends the process for an exception, and waits for ever where it gets some of its threads.
class HandlerPool {
 public:
  explicit HandlerPool(int threads);  // Error{unavailable} if they are not to be had
  ~HandlerPool() { join(); }
  HandlerPool(const HandlerPool&) = delete;
  HandlerPool& operator=(const HandlerPool&) = delete;

  boost::asio::io_context& io() noexcept { return io_; }
  void join();  // returns when all that was posted is done; what is posted later never is

 private:
  void run();

  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  std::vector<std::thread> threads_;
};

}  // namespace conceptd::daemon
