#include "daemon/worker_process.h"

#include <spawn.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <thread>

#include "core/error.h"

extern char** environ;

namespace conceptd::daemon {
namespace {

using namespace std::chrono_literals;

// The child gets its end of the channel as descriptor 3 and a process group of its own, so that Ctrl-C in the daemon's
// terminal is the daemon's alone to answer.
pid_t spawn(const std::vector<std::string>& command, int fd) {
  std::vector<char*> arguments;
  for (const std::string& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&actions, fd, kWorkerFd);
  sigset_t none, defaults;
  ::sigemptyset(&none);
  ::sigemptyset(&defaults);
  for (const int number : {SIGINT, SIGTERM, SIGPIPE, SIGHUP}) ::sigaddset(&defaults, number);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, command.front().c_str(), &actions, &attributes, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) throw Error(Code::unavailable, "starting " + command.front() + ": " + std::strerror(error));
  return pid;
}

}  // namespace

WorkerProcess::WorkerProcess(const std::vector<std::string>& command, std::size_t payload_max)
    : WorkerProcess(command, make_channels(payload_max)) {}

WorkerProcess::WorkerProcess(const std::vector<std::string>& command, ChannelPair channels)
    : channel_(std::move(channels.ours)), pid_(spawn(command, channels.theirs.fd())) {}

WorkerProcess::~WorkerProcess() { end(0ms); }

bool WorkerProcess::reap(bool wait) {
  while (!over_) {
    const pid_t got = ::waitpid(pid_, &status_, wait ? 0 : WNOHANG);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) break;
    over_ = true;
  }
  return over_;
}

std::string WorkerProcess::end(std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!reap(false) && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(10ms);
  if (!over_) ::kill(pid_, SIGKILL);
  reap(true);
  if (WIFSIGNALED(status_))
    return "it was killed by signal " + std::to_string(WTERMSIG(status_)) + " (" + ::strsignal(WTERMSIG(status_)) + ")";
  return "it ended with status " + std::to_string(WEXITSTATUS(status_));
}

}  // namespace conceptd::daemon
