// The registry's records as clients see them.
#pragma once
#include "daemon/api/concepts.h"
#include "daemon/api/jobs.h"
#include "daemon/api/nights.h"
#include "daemon/live_state.h"
#include "registry/night_store.h"
#include "registry/registry.h"

namespace conceptd::daemon {

api::JobInfo to_api(const registry::Job& job);
api::NightInfo to_api(const registry::Night& night);
api::PhotoInfo to_api(const registry::Photo& photo);
api::VersionInfo to_api(const registry::Version& version);
// live: null if it is not in the state that is served. last_job: the newest, if there is any.
api::ConceptSummary summary_of(const registry::ConceptRecord& record, const LiveConcept* live,
                               const std::optional<registry::Version>& version,
                               const std::optional<registry::Job>& last_job);

}  // namespace conceptd::daemon
