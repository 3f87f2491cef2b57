// The only writer of what is known (concepts, photos, jobs, versions) and of what is published (states and the head).
//
// Every method is one transaction and may be called from any thread. What it returns is a copy. A method either did all
// of what it says and it is durable, or it threw and did nothing. Two outcomes are values because every caller must
// branch on them: Published or Committed on one side, Conflict (the head has moved since you looked) on the other.
//
// Layout under the root: registry.db (SQLite, WAL), lock (one process at a time), photos/ab/abcd...
// (content-addressed), backups/. Photo files are durable before a row names them, so a crash leaves at most a file that
// nothing names.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/clock.h"
#include "core/error.h"
#include "core/file_io.h"
#include "registry/concept_name.h"
#include "registry/job_queue.h"
#include "registry/records.h"
#include "registry/upkeep.h"

namespace conceptd::registry {

class AnswerStore;
class BlobStore;
class NightStore;
class TokenStore;
struct ExportedVersion;  // registry/exchange.h
struct ImportRequest;
struct Consolidated;  // registry/night_store.h
struct NightPublished;
struct VersionName;

struct RegistryLimits {
  int photos_max = 30;  // a concept
  std::uint64_t photo_bytes_max = 32u << 20;
  std::uint64_t delta_bytes_max = 64u << 20;
  std::uint64_t preview_bytes_max = 4u << 20;
  int jobs_queued_max = 1000;
};

// Bytes are taken as they are: whoever calls has decoded them and knows that they are a picture.
struct NewPhoto {
  std::string bytes{};
  std::string media_type{};
  std::string original_name{};
  std::string caption{};
  int width = 0;
  int height = 0;
};

struct AddRequest {
  ConceptName name;
  std::string class_word{};
  std::vector<NewPhoto> photos{};
  Json settings = Json::object();  // of the learn job
  std::string actor{};
  bool urgent = false;
  int attempts_max = 3;
  std::optional<TimePoint> deadline{};
  std::optional<Json> draft{};  // settings of a job that goes before that one; empty: none does
};

struct Added {
  ConceptRecord record;
  Job job;
  std::optional<Job> draft{};
};

// A result of learning, before it has a number.
struct NewVersion {
  ConceptName name;
  std::string method{};
  std::string base_fingerprint{};
  std::string delta{};  // the bytes of the document
  std::optional<int> parent{};
  std::uint64_t seed = 0;
  Json settings = Json::object();
  Json metrics = Json::object();
  Verdict verdict = Verdict::accepted;
  std::string verdict_reason{};
  std::string preview_png{};  // empty: none
};

struct Published {
  std::shared_ptr<const State> state{};
};

// The head is not what the caller expected: nothing was written. Judge again against `head`, then try again.
struct Conflict {
  std::shared_ptr<const State> head{};
};

using PublishOutcome = std::variant<Published, Conflict>;

// The end of a learn job. The version is kept whatever the verdict; only an accepted one is published.
struct CommitRequest {
  std::int64_t job = 0;
  std::int64_t fence = 0;
  NewVersion version;
  std::int64_t expected_head = 0;  // the state the verdict was reached against
  std::string actor{};
  std::string reason{};
  std::optional<std::int64_t> night{};  // which publishes it, if it still collects what is learnt
};

struct Committed {
  Version version;
  std::shared_ptr<const State> state{};  // the head now: a new one if the version was accepted and not held
  bool held = false;                     // accepted and kept, and not published: the concept is pinned
  std::optional<std::int64_t> night{};   // accepted and kept, to be published by this one
};

// Whether what a rollback moves is pinned there, so that the next learning does not undo it. leave_free also lifts the
// pin that a moved concept had.
enum class Pinning { pin, leave_free };

using CommitOutcome = std::variant<Committed, Conflict>;

class Registry {
 public:
  // Makes the folder and the database if there are none, migrates an older one after a backup, and holds the lock while
  // it lives. Error{busy}: another process has it. Error{conflict}: written by a newer program. Error{corrupt}: not
  // ours.
  static std::unique_ptr<Registry> open(const std::filesystem::path& root, const Clock& clock,
                                        RegistryLimits limits = {});
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // --- Concepts -------------------------------------------------------------------------------------------------

  // Photos, concept and learn job, or nothing. Error{conflict} if the name is taken; a removed name may be taken
  // again, and its version numbers go on where they stopped. Error{invalid, "photos[2]"} for a photo given twice.
  Added add_concept(const AddRequest& request);
  // Throws what add_concept() would throw now; writes nothing.
  void check_add(const AddRequest& request) const;
  // All that are not removed, by name. With removed ones if asked.
  std::vector<ConceptRecord> list(bool with_removed = false) const;
  std::vector<std::string> names() const;  // not removed, sorted
  // Error{not_found} with near misses, or saying when it was removed. Removed ones too if asked.
  ConceptRecord show(const ConceptName& name, bool even_if_removed = false) const;
  // The bytes of a photo, verified: Error{corrupt} if they are not what they were.
  std::string photo(const Digest& digest) const;
  std::filesystem::path photo_path(const Digest& digest) const;
  // Out of the next state, its pin lifted and its open jobs cancelled; versions, states and photos stay for history,
  // the photos until gc() erases them. Returns the head.
  std::shared_ptr<const State> remove(const ConceptName& name, const std::string& actor, const std::string& reason);
  // What remove() removed comes back, published at the version it last stood at, if it was published and its bytes are
  // still there. Error{conflict} if it is not removed, or its photos were erased. Returns the head.
  std::shared_ptr<const State> undelete(const ConceptName& name, const std::string& actor, const std::string& reason);

  // --- Jobs -----------------------------------------------------------------------------------------------------

  JobQueue& jobs() noexcept { return *jobs_; }

  // --- Tokens ---------------------------------------------------------------------------------------------------

  TokenStore& tokens() noexcept { return *tokens_; }

  // --- Answers that were given, for requests that are repeated ----------------------------------------------------

  AnswerStore& answers() noexcept { return *answers_; }

  // --- Nights -----------------------------------------------------------------------------------------------------

  NightStore& nights() noexcept { return *nights_; }
  // What this night has learnt and the gate has accepted becomes one state: all of it but what was pinned, removed,
  // erased or published otherwise since, which is said. `consolidated` is kept with that state if it was made of just
  // its map of versions. Asked again, it answers again. Error{conflict} if the night is over.
  NightPublished publish_night(std::int64_t night, const std::optional<Consolidated>& consolidated,
                               const std::string& actor);
  // A delta of many versions, until a state names it. Error{exhausted}.
  Digest keep_consolidated(const std::string& bytes);
  // Was the head's consolidated delta made of just these entries?
  bool is_consolidated(const State& state) const;
  // What publish_night() would publish now, and nothing written.
  State after_night(std::int64_t night) const;

  // --- Versions -------------------------------------------------------------------------------------------------

  // Stores the delta and its row; nobody is served by it yet.
  Version stage_version(const NewVersion& version, const std::string& actor);
  // One transaction: check the fence, stage, publish if accepted and the concept is not pinned, end the job.
  CommitOutcome commit_learned(const CommitRequest& request);
  Version version(const ConceptName& name, int number) const;   // Error{not_found} naming the newest
  std::vector<Version> history(const ConceptName& name) const;  // newest first; of removed ones too
  // Bytes by digest, hashed again on the way out: Error{corrupt} if they are not what they were, Error{not_found} if
  // they were erased.
  std::string delta(const Digest& digest) const;
  std::string preview(const Digest& digest) const;

  // A number, an alias, "live" or "previous" (what a plain rollback would go to). Error{not_found}, Error{invalid}.
  int resolve(const ConceptName& name, const std::string& version) const;
  // All in which two versions of one concept differ, by field; photos as lists of digests.
  std::vector<Change> diff(const ConceptName& name, int from, int to) const;

  // A name for a version, which gc() then keeps; set again, it moves. Error{invalid}: not an alias, or reserved.
  // Error{exhausted}: the concept has 100.
  Alias set_alias(const ConceptName& name, const std::string& alias, int number, const std::string& actor);
  void remove_alias(const ConceptName& name, const std::string& alias, const std::string& actor);  // Error{not_found}
  std::vector<Alias> aliases(const ConceptName& name) const;                                       // by name

  // --- Between sites ----------------------------------------------------------------------------------------------

  // These versions with their bytes, in the order asked for; the audit says who took them. Error{not_found};
  // Error{conflict} if their bytes were erased.
  std::vector<ExportedVersion> export_versions(const std::vector<VersionName>& wanted, const std::string& actor);
  // Versions that were learnt elsewhere, all of them or none, each under the next number of its concept, which is made
  // where there is none. They are staged: promote() publishes them. Error{conflict, "name"}: the concept is learnt here
  // from photos of its own, is of another class, or has these bytes already.
  std::vector<Version> import_versions(const ImportRequest& request);

  // --- States ---------------------------------------------------------------------------------------------------

  std::shared_ptr<const State> head() const;                  // never null, never waits for a writer's disk
  std::shared_ptr<const State> state(std::int64_t id) const;  // Error{not_found}
  std::vector<State> states(int limit = 100) const;           // newest first, entries left out
  // Head with this version of this concept, if the head is still the expected one. A rejected version is refused, and
  // so is any while the concept is pinned (Error{conflict}).
  PublishOutcome publish(const ConceptName& name, int number, std::int64_t expected_head, const std::string& actor,
                         const std::string& reason);
  // A new state in which the concept stands at `to`, or, without it, at the version below the live one that was last
  // published. Error{conflict} if it stands there already; Error{invalid} for a version that never was published.
  std::shared_ptr<const State> roll_back(const ConceptName& name, std::optional<int> to, const std::string& actor,
                                         const std::string& reason, Pinning pinning = Pinning::pin);
  // A new state with the content of an older one. Concepts removed since stay removed. Error{conflict} if a version of
  // it was erased, naming the first.
  std::shared_ptr<const State> roll_back_state(std::int64_t id, const std::string& actor, const std::string& reason,
                                               Pinning pinning = Pinning::pin);
  // A version that was learnt and is not live, made so, whatever is pinned; a pin moves along. A rejected one needs
  // override_gate and a reason (Error{invalid} naming which), and both are kept beside it.
  std::shared_ptr<const State> promote(const ConceptName& name, int number, bool override_gate,
                                       const std::string& actor, const std::string& reason);
  // Error{conflict} if it is not in the head state, or number is given and not the live version.
  Pin pin(const ConceptName& name, std::optional<int> number, const std::string& actor, const std::string& reason);
  void unpin(const ConceptName& name, const std::string& actor, const std::string& reason);  // Error{conflict}
  std::vector<Change> diff_states(std::int64_t from, std::int64_t to) const;                 // versions, by concept

  // --- The record, and its health ---------------------------------------------------------------------------------

  std::vector<AuditRow> audit(std::optional<std::string> subject = {}, int limit = 100) const;  // newest first
  // Empty if every link holds; else what is wrong with the first that does not.
  std::optional<std::string> verify_audit_chain() const;
  // Everything that should always be true, checked: states, jobs, audit, SQLite's own check, and that photos are there
  // with their sizes; deep: every byte of photos, deltas and previews is hashed too. Each fault is a sentence.
  // Publishing waits meanwhile.
  enum class Depth { quick, deep };
  std::vector<std::string> verify(Depth depth = Depth::deep) const;
  // Deltas, previews and photos whose digest begins with this byte, hashed. All 256 together are what deep adds to
  // quick.
  std::vector<std::string> verify_bucket(int first_byte) const;
  Counts counts() const;
  std::string schema() const;  // its newest migration, which is this program's newest: another schema is not opened
  bool is_writable() const noexcept;  // whether the last commit went through; true before the first
  // Erases the bytes that nothing reaches (upkeep.h says what does). Rows, numbers and the audit stay. Everything that
  // is kept is hashed first: Error{corrupt}, and nothing is erased, if any of it is damaged or the storage has failed
  // since the start. Error{busy} while a backup runs.
  GcReport gc(const GcPolicy& policy, const std::string& actor);
  // A folder with a copy of the database, every photo (a hard link where the disk allows it) and backup.json; checked
  // whole before it gets its name. Others work meanwhile. Error{conflict} if the folder exists.
  BackupReport back_up(const std::filesystem::path& folder, const std::string& actor);
  // Takes away a folder that back_up() made below backups/: under another name first, so that what has the name of a
  // backup is always whole. False: there is none. Error{busy} while one is made.
  bool remove_backup(const std::string& name, const std::string& actor);
  // For whoever restored this registry from a backup: a row of the audit.
  void note_restored(const std::string& actor, const std::string& from);
  const std::filesystem::path& root() const noexcept { return root_; }

 private:
  Registry(const std::filesystem::path& root, const Clock& clock, RegistryLimits limits);
  std::shared_ptr<const State> head_in(Transaction& tx) const;
  void commit_head(Transaction& tx, std::shared_ptr<const State> state);

  // Constant after construction.
  const std::filesystem::path root_;
  const Clock& clock_;
  const RegistryLimits limits_;
  const std::unique_ptr<FileLock> lock_;
  const std::unique_ptr<Database> database_;  // provides its own lock: a Transaction holds it
  const std::unique_ptr<BlobStore> photos_;   // needs none
  const std::unique_ptr<JobQueue> jobs_;
  std::unique_ptr<TokenStore> tokens_;    // made when the schema is there
  std::unique_ptr<AnswerStore> answers_;  // likewise
  std::unique_ptr<NightStore> nights_;    // likewise

  void take_away_leftovers(const std::filesystem::path& wanted);  // Error if one lies just there and stays

  std::mutex upkeep_mutex_;  // held by a backup and by gc, so that neither sees the other half-way
  // Guarded by upkeep_mutex_: of backups that failed, where the disk did not even let them be taken away.
  std::vector<std::filesystem::path> leftovers_;

  // Guarded by head_mutex_; replaced whole, while the transaction that published it still holds the database.
  mutable std::mutex head_mutex_;
  std::shared_ptr<const State> head_;
};

}  // namespace conceptd::registry
