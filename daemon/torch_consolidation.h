// What a worker does with the order to consolidate: the deltas of a night's map to one, and whether it may be
// published.
#pragma once
#include "daemon/learn_worker.h"

namespace conceptd::daemon {

// Deltas whose method has no consolidation are left out, and the delta's members say who is in it. Error{not_found}:
// fewer than two can be consolidated.
WorkerResult consolidate_with_torch(const ConsolidateOrder& order, const WorkerVoice& voice);

}  // namespace conceptd::daemon
