// What a worker does with the order to evaluate: the version's pictures beside the base's own, and their measures.
#pragma once
#include "daemon/learn_worker.h"

namespace conceptd::daemon {

// Error{not_found} where the base names no judge (gate.json).
WorkerEvaluation evaluate_with_torch(const EvaluateOrder& order, const WorkerVoice& voice);

}  // namespace conceptd::daemon
