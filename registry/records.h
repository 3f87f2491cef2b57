// What the registry hands out: plain values, copied out under the lock, valid for ever. An empty optional means "none";
// times are UTC.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/digest.h"
#include "core/json.h"

namespace conceptd::registry {

// A photo of a concept. The bytes are a file that BlobStore names by digest.
struct Photo {
  Digest digest{};
  std::string media_type{};     // "image/png", "image/jpeg", "image/webp"
  std::string original_name{};  // what the user called the file: shown, never opened
  std::string caption{};        // empty: none given
  std::int64_t size_bytes = 0;
  int width = 0;  // after decoding; 0 where nobody said
  int height = 0;
};

// While it holds, what is learnt of the concept is kept and not published. It is always at the live version.
struct Pin {
  int version = 0;
  std::string reason{};
  std::string actor{};
  TimePoint created_at{};
};

// A name for one version of one concept.
struct Alias {
  std::string name{};
  int version = 0;
  std::string actor{};
  TimePoint created_at{};
};

struct ConceptRecord {
  std::string name{};
  std::string class_word{};
  std::vector<Photo> photos{};  // in the order given
  std::string created_by{};
  TimePoint created_at{};
  std::optional<TimePoint> removed_at{};     // tombstone: kept in history, in no new state
  std::optional<int> live_version{};         // in the head state
  int newest_version = 0;                    // highest number ever given; 0: none yet
  std::optional<std::int64_t> active_job{};  // the newest job that is queued or running
  std::optional<Pin> pin{};
  bool imported = false;  // it has a version that was learnt elsewhere; then it may have no photos
};

enum class JobKind { learn, consolidate, evaluate, import };
enum class JobState { queued, running, done, failed, cancelled };

// What a running job last said of itself.
struct Progress {
  int step = 0;
  int steps = 0;
  double loss = 0;
  double eta_s = 0;  // negative: not known
  std::string message{};
};

struct Job {
  std::int64_t id = 0;
  JobKind kind = JobKind::learn;
  std::string name{};  // the concept; empty for jobs about no single concept
  JobState state = JobState::queued;
  Json settings = Json::object();
  std::string requested_by{};
  bool urgent = false;     // may run outside the learning window, and before jobs that may not
  bool draft = false;      // learns what serves until the concept's next job has learnt better
  int queue_position = 0;  // 1 is next; 0: not queued
  int attempts = 0;
  int attempts_max = 0;
  std::int64_t fence = 0;  // rises with every lease; whoever holds an older one may write nothing
  std::string worker{};
  Progress progress;
  std::string error_code{};  // to_string(Code) of the last failure; empty: none
  std::string error_message{};
  std::optional<int> result_version{};
  TimePoint created_at{};
  std::optional<TimePoint> started_at{};
  std::optional<TimePoint> finished_at{};
  std::optional<TimePoint> lease_until{};
  std::optional<TimePoint> deadline{};
};

enum class Verdict { accepted, rejected };

// One result of learning. Rows of this kind never change, and a number is never given twice.
struct Version {
  std::string name{};
  int number = 0;
  std::string method{};            // "perfusion"
  std::string base_fingerprint{};  // of the base model it was learnt on
  Digest delta{};
  std::int64_t delta_bytes = 0;          // what it has, or had before it was erased
  std::optional<TimePoint> erased_at{};  // its bytes are gone: it can be named, not used
  std::optional<int> parent{};           // the version that was live when learning began
  std::uint64_t seed = 0;
  Json settings = Json::object();
  Json metrics = Json::object();
  Verdict verdict = Verdict::accepted;
  std::string verdict_reason{};
  std::vector<Digest> photos{};     // what it learnt from
  std::optional<Digest> preview{};  // a PNG: Registry::preview()
  std::optional<std::int64_t> job{};
  Json origin{};  // where it was learnt, as the pack says that brought it; null: here
  TimePoint created_at{};
  bool published = false;   // it is or was in some state
  bool live = false;        // it is in the head state
  bool overridden = false;  // somebody let it pass although it was rejected
  bool draft = false;       // a draft's job learnt it
};

// What serving needs to know of one concept in one state.
struct StateEntry {
  int version = 0;
  Digest delta{};
  std::string class_word{};
  std::string method{};
  std::string base_fingerprint{};
  bool operator==(const StateEntry&) const = default;
};

// Immutable and numbered; "what is published" is one of these. Numbers only rise. State 0 is the empty one.
struct State {
  std::int64_t id = 0;
  std::optional<std::int64_t> parent{};
  std::map<std::string, StateEntry, std::less<>> entries{};  // by concept name
  // One delta for many entries: those of the first state that has it. Which of them it still speaks for its readers
  // see.
  std::optional<Digest> consolidated{};
  std::string reason{};
  std::string actor{};
  TimePoint created_at{};
};

// One link of the audit chain: hash = SHA-256(previous hash || canonical JSON of the other fields).
struct AuditRow {
  std::int64_t id = 0;
  TimePoint at{};
  std::string actor{};
  std::string action{};   // "add", "learn", "publish", "rollback", "remove", "cancel", ...
  std::string subject{};  // a concept name, "job 7", "state 3"
  Json detail = Json::object();
  Digest hash{};
};

// One thing in which two versions, or two states, differ. null: one of them does not have it.
struct Change {
  std::string field{};  // "method", "metrics.identity", or, of states, a concept
  Json from{};
  Json to{};
};

struct Counts {
  std::int64_t concepts = 0;  // not removed
  std::int64_t photos = 0;
  std::int64_t photo_bytes = 0;
  std::int64_t versions = 0;
  std::int64_t delta_bytes = 0;
  std::int64_t states = 0;
  std::int64_t head = 0;
  std::int64_t jobs_queued = 0;
  std::int64_t jobs_running = 0;
  std::int64_t jobs_done = 0;
  std::int64_t jobs_failed = 0;
  std::int64_t jobs_cancelled = 0;
  std::int64_t database_bytes = 0;
};

std::string_view to_string(JobKind kind) noexcept;
std::string_view to_string(JobState state) noexcept;
std::string_view to_string(Verdict verdict) noexcept;
JobKind job_kind_from_string(std::string_view text);    // unknown text: Error{invalid}
JobState job_state_from_string(std::string_view text);  // the same
Verdict verdict_from_string(std::string_view text);     // the same

}  // namespace conceptd::registry
