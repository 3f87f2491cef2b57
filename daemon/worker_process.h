// A child of the daemon as the daemon holds it: the process, a worker or a decoder, and the channel to it. It never
// outlives this object.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "daemon/frames.h"

namespace conceptd::daemon {

class WorkerProcess {
 public:
  // Error{unavailable} if it cannot be started. payload_max: of one message from it.
  explicit WorkerProcess(const std::vector<std::string>& command, std::size_t payload_max = FrameChannel::kPayloadMax);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  FrameChannel& channel() noexcept { return channel_; }
  pid_t pid() const noexcept { return pid_; }
  // Waits for its end, then kills it. How it ended, for people: "it was killed by signal 9 (Killed)".
  std::string end(std::chrono::milliseconds patience);

 private:
  WorkerProcess(const std::vector<std::string>& command, ChannelPair channels);
  bool reap(bool wait);
  FrameChannel channel_;
  pid_t pid_ = -1;
  bool over_ = false;
  int status_ = 0;
};

}  // namespace conceptd::daemon
