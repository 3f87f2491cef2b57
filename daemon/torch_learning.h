// What a learn worker does with its order: photos to tensors, the base, the learner, the delta.
#pragma once
#include "daemon/learn_worker.h"

namespace conceptd::daemon {

WorkerResult learn_with_torch(const LearnOrder& order, const WorkerVoice& voice);

}  // namespace conceptd::daemon
