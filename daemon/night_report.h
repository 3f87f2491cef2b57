// What there is to say of a night when it is over, as one JSON document (docs/nights.md says what its fields are): made
// from the rows each time, so that it never differs from them.
#pragma once
#include "core/json.h"
#include "daemon/retention.h"
#include "registry/night_store.h"
#include "registry/registry.h"

namespace conceptd::daemon {

enum class Score { identity, fidelity };
// Of every concept that was measured in the last nights up to this one.
ScoreMatrix score_matrix(const std::vector<registry::NightMeasure>& measures, Score score);

Json night_report(registry::Registry& registry, const registry::Night& night);

}  // namespace conceptd::daemon
