// The child's side of learning: takes one order, says how it goes, hands over a delta or says why not, and ends.
#pragma once
#include <functional>

#include "core/picture/picture.h"
#include "daemon/frames.h"
#include "daemon/worker_messages.h"

namespace conceptd::daemon {

// Called after every step; preview may be null. Waits while the daemon wants the machine for itself, and throws
// Error{cancelled} when the job was cancelled.
using ReportStep = std::function<void(const WorkerProgress& progress, const picture::Picture* preview)>;
using Learn = std::function<WorkerResult(const LearnOrder& order, const ReportStep& report)>;

// Makes this process a polite one that does not outlive the daemon: low CPU and IO priority, first to go when RAM runs
// out, no descriptor of the daemon's but `fd`.
void settle_worker_process(int fd);

// The exit status: 0 when a result or a failure was handed over.
int run_learn_worker(FrameChannel channel, const Learn& learn);

}  // namespace conceptd::daemon
