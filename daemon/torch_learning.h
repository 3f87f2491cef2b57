// What a worker does with its orders: photos to tensors, the base, the learner, the delta; the gate's pictures again.
#pragma once
#include "daemon/learn_worker.h"

namespace conceptd::daemon {

WorkerResult learn_with_torch(const LearnOrder& order, const WorkerVoice& voice);
// All that this release can do. The probe keeps the base that it has read for the next order.
WorkerTasks torch_tasks();

}  // namespace conceptd::daemon
