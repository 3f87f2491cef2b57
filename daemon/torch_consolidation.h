// What a worker does with the order to consolidate: the deltas of a night's map to one, and whether it may be
// published.
#pragma once
#include "daemon/learn_worker.h"

namespace conceptd::daemon {

// Deltas whose method has no consolidation, without a photo to be judged by, or that it would make worse are left out;
// the delta's members say who is in it. Fewer than two that can: not accepted, and no delta.
WorkerResult consolidate_with_torch(const ConsolidateOrder& order, const WorkerVoice& voice);

}  // namespace conceptd::daemon
