// The child's side of learning: takes one order, says how it goes, hands over a delta or says why not, and ends. Probes
// are answered one after the other, until the daemon has no more.
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
using Probe = std::function<WorkerProbe(const ProbeOrder& order, const WorkerVoice& voice)>;
using Evaluate = std::function<WorkerEvaluation(const EvaluateOrder& order, const WorkerVoice& voice)>;
using Consolidate = std::function<WorkerResult(const ConsolidateOrder& order, const WorkerVoice& voice)>;

// What a worker can do. Without consolidate a night says that there is none; the daemon is told with
// DaemonParts::consolidates.
struct WorkerTasks {
  Learn learn{};
  Probe probe{};
  Consolidate consolidate{};
  Evaluate evaluate{};
};

// Learning failed in a way that another attempt would repeat.
class Hopeless : public Error {
  using Error::Error;
};

// Error{conflict} if the base that the worker has found is not the one that the daemon serves: somebody put another in
// its place since, and what would be learnt on it could not be used.
template <typename Order>
void require_base(const Order& order, const std::string& fingerprint) {
  if (fingerprint != order.base_fingerprint)
    throw Error(Code::conflict, "the base model in " + order.base_folder +
                                    " has changed since the daemon started; start the daemon again");
}

// Makes this process a polite one that does not outlive the daemon: low CPU and IO priority, first to go when RAM runs
// out, no descriptor of the daemon's but `fd`.
void settle_worker_process(int fd);

// The exit status: 0 when a result or a failure was handed over.
int run_learn_worker(FrameChannel channel, const WorkerTasks& tasks);

}  // namespace conceptd::daemon
