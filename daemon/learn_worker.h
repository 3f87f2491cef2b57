// The child's side of learning: takes one order, says how it goes, hands over a delta or says why not, and ends.
#pragma once
#include <functional>

#include "core/error.h"
#include "core/picture/picture.h"
#include "daemon/frames.h"
#include "daemon/worker_messages.h"

namespace conceptd::daemon {

// How a learner speaks while it works.
struct WorkerVoice {
  // After every step; preview may be null. Waits while the daemon wants the machine for itself, and throws
  // Error{cancelled} when the job was cancelled.
  std::function<void(const WorkerProgress& progress, const picture::Picture* preview)> step;
  // What another attempt would go on from.
  std::function<void(std::string bytes)> checkpoint;
};
using Learn = std::function<WorkerResult(const LearnOrder& order, const WorkerVoice& voice)>;

// Learning failed in a way that another attempt would repeat.
class Hopeless : public Error {
  using Error::Error;
};

// Error{conflict} if the base that the worker has found is not the one that the daemon serves: somebody put another in
// its place since, and what would be learnt on it could not be used.
void require_base(const LearnOrder& order, const std::string& fingerprint);

// Makes this process a polite one that does not outlive the daemon: low CPU and IO priority, first to go when RAM runs
// out, no descriptor of the daemon's but `fd`.
void settle_worker_process(int fd);

// The exit status: 0 when a result or a failure was handed over.
int run_learn_worker(FrameChannel channel, const Learn& learn);

}  // namespace conceptd::daemon
