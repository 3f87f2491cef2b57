#include "daemon/signals.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "core/error.h"
#include "core/log.h"
#include "daemon/daemon.h"
#include "daemon/threads.h"

namespace conceptd::daemon {
namespace {

int signal_pipe[2] = {-1, -1};
std::atomic<int> ends = 0, last_end = 0, reloads = 0;  // asked for
static_assert(std::atomic<int>::is_always_lock_free);

// A storm may fill the pipe: then somebody is about to look anyway.
extern "C" void post_signal(int number) {
  if (number == SIGHUP)
    ++reloads;
  else
    last_end = number, ++ends;
  [[maybe_unused]] const ssize_t ignored = ::write(signal_pipe[1], "", 1);
}

void wait_for_a_signal() {
  // Not by read() alone: under ThreadSanitizer a handler runs in poll() at once, in read() when that returns.
  pollfd ready{.fd = signal_pipe[0], .events = POLLIN, .revents = 0};
  char ignored = 0;
  while (::poll(&ready, 1, -1) != 1 || ::read(signal_pipe[0], &ignored, 1) != 1) {
  }
}

void reload(Daemon& daemon) {
  try {
    daemon.reload();
    spdlog::info("reloaded: what [tcp] names was read again");
  } catch (const std::exception& error) {
    spdlog::error("the certificate of before stays: {}", error.what());
  }
}

}  // namespace

void catch_signals() {
  if (::pipe2(signal_pipe, O_CLOEXEC) != 0) throw Error(Code::unavailable, "there is no pipe for signals");
  ::fcntl(signal_pipe[1], F_SETFL, O_NONBLOCK);
  struct sigaction action {};
  action.sa_handler = post_signal;
  action.sa_flags = SA_RESTART;
  for (const int number : {SIGHUP, SIGINT, SIGTERM}) ::sigaction(number, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

int wait_for_the_end(Daemon& daemon) {
  for (wait_for_a_signal(); ends == 0; wait_for_a_signal())
    if (reloads.exchange(0) > 0) reload(daemon);
  const int number = last_end;
  try {
    start_thread("a second signal", [] {
      while (ends < 2) wait_for_a_signal();
      ::_exit(128 + last_end);
    }).detach();
  } catch (const std::exception& error) {  // then the kernel does it
    spdlog::warn("{}", error.what());
    for (const int end : {SIGINT, SIGTERM}) ::signal(end, SIG_DFL);
    if (ends > 1) ::_exit(128 + last_end);  // it was there already
  }
  return number;
}

}  // namespace conceptd::daemon
