// Nights: runs of learning and upkeep while nobody waits, each a row with its steps, so that one that died is gone on
// with or closed as what it was. One runs at a time, and the window of a date is held once.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/digest.h"
#include "core/json.h"
#include "registry/records.h"

namespace conceptd::registry {

class Database;

enum class NightCause { window, catch_up, asked };
enum class NightState { running, done, stopped, failed };
// stopped: its time was over; what it had done by then counts.
enum class StepState { waiting, running, done, skipped, stopped, failed };

std::string_view to_string(NightCause cause) noexcept;
std::string_view to_string(NightState state) noexcept;
std::string_view to_string(StepState state) noexcept;

struct NightStep {
  std::string name{};
  StepState state = StepState::waiting;
  double seconds = 0;
  std::string message{};  // for people
  Json detail = Json::object();
};

struct Night {
  std::int64_t id = 0;
  std::string date{};  // "2026-11-23", of the window's zone
  NightCause cause = NightCause::asked;
  std::string actor{};
  NightState state = NightState::running;
  std::string reason{};  // why it is stopped or failed
  TimePoint began_at{};
  TimePoint until{};
  std::optional<TimePoint> ended_at{};
  std::int64_t state_before = 0;
  bool published = false;  // it collects nothing more
  std::optional<std::int64_t> state_after{};
  std::vector<NightStep> steps{};
};

struct NewNight {
  std::string date{};
  NightCause cause = NightCause::asked;
  std::string actor{};
  TimePoint until{};
  std::vector<std::string> steps{};
};

// A version that a job of this night brought.
struct NightLearnt {
  std::string name{};
  int version = 0;
  std::string outcome{};  // waiting, published, left, refused
  std::string reason{};
};

// One delta in place of many.
struct Consolidated {
  Digest delta{};
  Digest manifest{};  // manifest_of() what it was made of
};

// Of the map of concepts to versions, by what they are.
Digest manifest_of(const State& state);

struct NightPublished {
  std::shared_ptr<const State> state{};  // the head after it
  bool moved = false;                    // it is a new one
  std::vector<NightLearnt> learnt{};
};

// A live concept, drawn and measured in one night.
struct NightMeasure {
  std::int64_t night = 0;
  std::string name{};
  int version = 0;
  Digest delta{};
  Digest pictures{};         // of all bytes that were drawn
  int count = 0;             // of pictures
  std::string conditions{};  // base, prompts and machine, in one line: under the same ones the same bytes are drawn
  std::optional<double> identity{};
  double fidelity = 0;
  double seconds = 0;
  std::string outcome{};  // first, same, changed: against the first measure of this delta under these conditions
};

class NightStore {
 public:
  // Both are lent by Registry. Thread-safe: each call is one transaction.
  NightStore(Database& database, const Clock& clock) noexcept : database_(database), clock_(clock) {}

  // Error{busy} while one runs; Error{conflict} if the window of this date was held.
  Night begin(const NewNight& request);
  Night get(std::int64_t id) const;  // Error{not_found}
  std::optional<Night> running() const;
  std::vector<Night> list(int limit) const;                     // newest first
  std::optional<Night> of_date(const std::string& date) const;  // the newest that began on it
  bool was_held(const std::string& date) const;                 // by a window or as its catching up
  std::optional<TimePoint> last_begun() const;

  // Of a night that runs; else Error{conflict}. A step is set as often as there is something to say.
  void set_step(std::int64_t night, const NightStep& step);
  Night end(std::int64_t night, NightState state, const std::string& reason, const std::string& actor);

  std::vector<NightLearnt> learnt(std::int64_t night) const;  // by name, then number
  // The night that keeps this version to publish it; empty: none, or it has decided.
  std::optional<std::int64_t> keeper_of(const std::string& name, int version) const;

  // Kept once a concept and night: a second is Error{conflict}. Returns the outcome. Numbers must be numbers:
  // Error{invalid}.
  std::string keep_measure(const NightMeasure& measure);
  std::map<std::string, std::int64_t> last_measured() const;  // by concept: in which night
  std::vector<NightMeasure> measures(std::int64_t first_night, std::int64_t last_night) const;  // by night, then name

  // The first bytes of digests that were hashed the longest time ago, never first.
  std::vector<int> oldest_buckets(int count) const;
  void note_verified(std::int64_t night, int first_byte);
  std::optional<TimePoint> verified_since() const;  // every byte was hashed at or after it; empty: not yet

 private:
  Database& database_;
  const Clock& clock_;
};

}  // namespace conceptd::registry
