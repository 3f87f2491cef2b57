// Rows to records and back: the SQL that more than one operation needs. Private to the room. Each function works inside
// the caller's transaction and decides nothing.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "registry/job_queue.h"
#include "registry/night_store.h"
#include "registry/records.h"
#include "registry/registry.h"
#include "registry/sqlite.h"

namespace conceptd::registry {

// A concept as the tables know it; the id never leaves the room.
struct ConceptRow {
  std::int64_t id = 0;
  ConceptRecord record;
};

std::vector<std::string> concept_names(Transaction& tx);  // not removed, sorted
std::optional<ConceptRow> find_concept(Transaction& tx, std::string_view name);
// Error{not_found} with near misses; a removed one counts as found only if asked.
ConceptRow require_concept(Transaction& tx, std::string_view name, bool even_if_removed = false);
std::vector<ConceptRow> read_concepts(Transaction& tx, bool with_removed);

void check_queue(Transaction& tx, int queued_max);  // Error{busy} if it is full; drafts take no room
std::int64_t insert_job(Transaction& tx, const NewJob& request, std::optional<std::int64_t> concept_id, int queued_max,
                        TimePoint now);
Job read_job(Transaction& tx, std::int64_t id);  // Error{not_found}
std::vector<Job> read_jobs(Transaction& tx, const JobFilter& filter);
// The job, if it runs under this fence; else Error{conflict} or Error{cancelled}.
Job require_lease(Transaction& tx, std::int64_t id, std::int64_t fence);
void finish_job(Transaction& tx, std::int64_t id, JobState state, std::optional<int> result_version, TimePoint now);
void drop_checkpoint(Transaction& tx, std::int64_t id);
// All that are queued or running for this concept; returns their ids.
std::vector<std::int64_t> cancel_jobs_of(Transaction& tx, std::int64_t concept_id, TimePoint now);

// Error{invalid} or Error{exhausted} for what no version may be.
void check_version(const NewVersion& version, const RegistryLimits& limits);
// The next number of its concept, with its bytes. photos: what it learnt from.
Version insert_version(Transaction& tx, const ConceptRow& owner, const NewVersion& version,
                       const std::vector<Digest>& photos, std::optional<std::int64_t> job, TimePoint now);
Json detail_of(const Version& version);  // for the audit
std::string read_delta(Transaction& tx, const Digest& digest);
void check_class_word(const std::string& word);
std::optional<Version> find_version(Transaction& tx, std::int64_t concept_id, int number);
std::vector<Version> read_versions(Transaction& tx, std::int64_t concept_id);
// Error{not_found} naming the newest; with_bytes: Error{conflict} if they were erased.
Version require_version(Transaction& tx, const ConceptRow& owner, int number, bool with_bytes);
// The version that a rollback without a number means: below the live one, the last that ever was in a state.
std::optional<int> version_before(Transaction& tx, const ConceptRow& owner);
// A number, an alias, "live" or "previous". Error{not_found} with what there is, Error{invalid} if it is no such text.
int resolve_version(Transaction& tx, const ConceptRow& owner, std::string_view text);

// The bytes under their digest, again where they were erased.
Digest store_delta(Transaction& tx, const std::string& bytes, TimePoint now);

Night require_running_night(Transaction& tx, std::int64_t id);  // Error{not_found}, Error{conflict}
std::vector<NightLearnt> read_night_learnt(Transaction& tx, std::int64_t night);

void set_pin(Transaction& tx, std::int64_t concept_id, int version, const std::string& reason, const std::string& actor,
             TimePoint now);
bool remove_pin(Transaction& tx, std::int64_t concept_id);  // false: there was none

std::int64_t head_id(Transaction& tx);
std::shared_ptr<const State> read_state(Transaction& tx, std::int64_t id);  // Error{not_found}
StateEntry read_entry(Transaction& tx, std::int64_t concept_id, int number);
// The state with this concept at this version, or without it; published.
std::shared_ptr<const State> insert_state_with(Transaction& tx, const State& before, const ConceptRow& owner,
                                               std::optional<int> version, const std::string& actor,
                                               const std::string& reason, TimePoint now);
// Writes the state with all its entries and moves the head to it. id and parent are set here.
std::shared_ptr<const State> insert_state(Transaction& tx, State next, TimePoint now);

// One more link of the chain.
void append_audit(Transaction& tx, TimePoint now, const std::string& actor, const std::string& action,
                  const std::string& subject, const Json& detail);
std::vector<AuditRow> read_audit(Transaction& tx, const std::optional<std::string>& subject, int limit);
std::optional<std::string> fault_in_audit_chain(Transaction& tx);

}  // namespace conceptd::registry
