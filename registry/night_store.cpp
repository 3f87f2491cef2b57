#include "registry/night_store.h"

#include <array>
#include <cmath>

#include "core/error.h"
#include "registry/rows.h"
#include "registry/sqlite.h"

namespace conceptd::registry {
namespace {

using Kind = Transaction::Kind;

constexpr std::array<std::string_view, 3> kCauses{"window", "catch_up", "asked"};
constexpr std::array<std::string_view, 4> kStates{"running", "done", "stopped", "failed"};
constexpr std::array<std::string_view, 6> kStepStates{"waiting", "running", "done", "skipped", "stopped", "failed"};

template <typename Enum, std::size_t n>
Enum parse(const std::array<std::string_view, n>& words, const std::string& text) {
  for (std::size_t i = 0; i < n; ++i)
    if (words[i] == text) return static_cast<Enum>(i);
  throw Error(Code::corrupt, "a night's row says '" + text + "'");
}

constexpr std::string_view kSelect =
    "SELECT id, date, cause, actor, state, reason, began_at, until, ended_at, state_before, published, state_after"
    " FROM night ";

Night read_row(Transaction& tx, const Statement& row) {
  Night night{.id = row.integer(0),
              .date = row.text(1),
              .cause = parse<NightCause>(kCauses, row.text(2)),
              .actor = row.text(3),
              .state = parse<NightState>(kStates, row.text(4)),
              .reason = row.text(5),
              .began_at = row.time(6),
              .until = row.time(7),
              .ended_at = row.maybe(8, &Statement::time),
              .state_before = row.integer(9),
              .published = row.integer(10) != 0,
              .state_after = row.maybe(11, &Statement::integer)};
  Statement step = tx.query(
      "SELECT name, state, seconds, message, detail FROM night_step WHERE night = ? ORDER BY position", night.id);
  while (step.step())
    night.steps.push_back({.name = step.text(0),
                           .state = parse<StepState>(kStepStates, step.text(1)),
                           .seconds = step.real(2),
                           .message = step.text(3),
                           .detail = step.json(4)});
  return night;
}

template <typename... Values>
std::optional<Night> find(Transaction& tx, const std::string& where, const Values&... values) {
  Statement row = tx.query(std::string(kSelect) + where, values...);
  return row.step() ? std::optional(read_row(tx, row)) : std::nullopt;
}

Night require_night(Transaction& tx, std::int64_t id) {
  std::optional<Night> night = find(tx, "WHERE id = ?", id);
  if (!night) throw Error(Code::not_found, "there is no night " + std::to_string(id), "night");
  return *std::move(night);
}

bool window_has_held(Transaction& tx, const std::string& date) {
  return tx.value("SELECT count(*) FROM night WHERE date = ? AND cause <> 'asked'", date) > 0;
}

void check_number(double value, const char* what) {
  if (!std::isfinite(value)) throw Error(Code::invalid, std::string(what) + " is not a number", what);
}

}  // namespace

std::string_view to_string(NightCause cause) noexcept { return kCauses[static_cast<std::size_t>(cause)]; }
std::string_view to_string(NightState state) noexcept { return kStates[static_cast<std::size_t>(state)]; }
std::string_view to_string(StepState state) noexcept { return kStepStates[static_cast<std::size_t>(state)]; }

Night require_running_night(Transaction& tx, std::int64_t id) {
  Night night = require_night(tx, id);
  if (night.state != NightState::running)
    throw Error(Code::conflict, "night " + std::to_string(id) + " is over", "night");
  return night;
}

std::vector<NightLearnt> read_night_learnt(Transaction& tx, std::int64_t night) {
  std::vector<NightLearnt> learnt;
  Statement row = tx.query(
      "SELECT c.name, l.version, l.outcome, l.reason FROM night_learnt l JOIN concept c ON c.id = l.concept"
      " WHERE l.night = ? ORDER BY c.name, l.version",
      night);
  while (row.step())
    learnt.push_back({.name = row.text(0), .version = row.number(1), .outcome = row.text(2), .reason = row.text(3)});
  return learnt;
}

Night NightStore::begin(const NewNight& request) {
  Transaction tx(database_, Kind::immediate, "beginning a night");
  if (const auto night = find(tx, "WHERE state = 'running'"))
    throw Error(Code::busy, "night " + std::to_string(night->id) + " is running since " + to_iso8601(night->began_at));
  if (request.cause != NightCause::asked && window_has_held(tx, request.date))
    throw Error(Code::conflict, "the night of " + request.date + " was held already", "date");
  const TimePoint now = clock_.now();
  const std::int64_t head = head_id(tx);
  tx.run(
      "INSERT INTO night (date, cause, actor, state, began_at, until, state_before)"
      " VALUES (?, ?, ?, 'running', ?, ?, ?)",
      request.date, to_string(request.cause), request.actor, now, request.until, head);
  const std::int64_t id = tx.last_id();
  for (std::size_t i = 0; i < request.steps.size(); ++i)
    tx.run("INSERT INTO night_step (night, position, name, state) VALUES (?, ?, ?, 'waiting')", id, i,
           request.steps[i]);
  append_audit(tx, now, request.actor, "night", "night " + std::to_string(id),
               {{"date", request.date}, {"cause", to_string(request.cause)}, {"until", to_iso8601(request.until)}});
  Night night = require_night(tx, id);
  tx.commit();
  return night;
}

Night NightStore::get(std::int64_t id) const {
  Transaction tx(database_, Kind::read, "reading night " + std::to_string(id));
  return require_night(tx, id);
}

std::optional<Night> NightStore::running() const {
  Transaction tx(database_, Kind::read, "looking for the night that runs");
  return find(tx, "WHERE state = 'running'");
}

std::vector<Night> NightStore::list(int limit) const {
  Transaction tx(database_, Kind::read, "listing nights");
  std::vector<Night> nights;
  Statement row = tx.query(std::string(kSelect) + "ORDER BY id DESC LIMIT ?", limit);
  while (row.step()) nights.push_back(read_row(tx, row));
  return nights;
}

std::optional<Night> NightStore::of_date(const std::string& date) const {
  Transaction tx(database_, Kind::read, "reading the night of " + date);
  return find(tx, "WHERE date = ? ORDER BY id DESC LIMIT 1", date);
}

bool NightStore::was_held(const std::string& date) const {
  Transaction tx(database_, Kind::read, "reading the night of " + date);
  return window_has_held(tx, date);
}

std::optional<TimePoint> NightStore::last_begun() const {
  Transaction tx(database_, Kind::read, "looking for the last night");
  Statement row = tx.query("SELECT began_at FROM night ORDER BY began_at DESC LIMIT 1");
  return row.step() ? std::optional(row.time(0)) : std::nullopt;
}

void NightStore::set_step(std::int64_t night, const NightStep& step) {
  Transaction tx(database_, Kind::immediate, "noting a step of night " + std::to_string(night));
  require_running_night(tx, night);
  if (tx.run("UPDATE night_step SET state = ?, seconds = ?, message = ?, detail = ? WHERE night = ? AND name = ?",
             to_string(step.state), step.seconds, step.message, step.detail, night, step.name) != 1)
    throw Error(Code::not_found, "a night has no step '" + step.name + "'", "step");
  tx.commit();
}

Night NightStore::end(std::int64_t id, NightState state, const std::string& reason, const std::string& actor) {
  Transaction tx(database_, Kind::immediate, "ending night " + std::to_string(id));
  if (!require_running_night(tx, id).published)
    throw Error(Code::conflict, "night " + std::to_string(id) + " has not decided what it publishes", "night");
  const TimePoint now = clock_.now();
  tx.run("UPDATE night SET state = ?, reason = ?, ended_at = ? WHERE id = ?", to_string(state), reason, now, id);
  append_audit(tx, now, actor, "night_over", "night " + std::to_string(id),
               {{"state", to_string(state)}, {"reason", reason}});
  Night night = require_night(tx, id);
  tx.commit();
  return night;
}

std::vector<NightLearnt> NightStore::learnt(std::int64_t night) const {
  Transaction tx(database_, Kind::read, "reading what a night learnt");
  return read_night_learnt(tx, night);
}

std::optional<std::int64_t> NightStore::keeper_of(const std::string& name, int version) const {
  Transaction tx(database_, Kind::read, "looking for the night that keeps a version");
  Statement row = tx.query(
      "SELECT l.night FROM night_learnt l JOIN concept c ON c.id = l.concept"
      " WHERE c.name = ? AND l.version = ? AND l.outcome = 'waiting'",
      name, version);
  return row.step() ? std::optional(row.integer(0)) : std::nullopt;
}

std::string NightStore::keep_measure(const NightMeasure& m) {
  check_number(m.fidelity, "fidelity");
  check_number(m.seconds, "seconds");
  if (m.identity) check_number(*m.identity, "identity");
  Transaction tx(database_, Kind::immediate, "keeping the measure of " + m.name);
  require_running_night(tx, m.night);
  const ConceptRow owner = require_concept(tx, m.name, true);
  if (tx.value("SELECT count(*) FROM night_measure WHERE night = ? AND concept = ?", m.night, owner.id) > 0)
    throw Error(Code::conflict, m.name + " was measured already in this night", "name");
  Statement known = tx.query("SELECT pictures FROM probe WHERE delta = ? AND conditions = ?", m.delta, m.conditions);
  const std::string outcome = !known.step() ? "first" : known.digest(0) == m.pictures ? "same" : "changed";
  if (outcome == "first")
    tx.run("INSERT INTO probe (delta, conditions, pictures, night) VALUES (?, ?, ?, ?)", m.delta, m.conditions,
           m.pictures, m.night);
  tx.run(
      "INSERT INTO night_measure (night, concept, version, outcome, pictures, count, conditions, identity, fidelity,"
      " seconds) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      m.night, owner.id, m.version, outcome, m.pictures, m.count, m.conditions, m.identity, m.fidelity, m.seconds);
  tx.commit();
  return outcome;
}

std::map<std::string, std::int64_t> NightStore::last_measured() const {
  Transaction tx(database_, Kind::read, "reading when concepts were measured");
  std::map<std::string, std::int64_t> last;
  Statement row = tx.query(
      "SELECT c.name, max(m.night) FROM night_measure m JOIN concept c ON c.id = m.concept GROUP BY m.concept");
  while (row.step()) last[row.text(0)] = row.integer(1);
  return last;
}

std::vector<NightMeasure> NightStore::measures(std::int64_t first_night, std::int64_t last_night) const {
  Transaction tx(database_, Kind::read, "reading measures");
  std::vector<NightMeasure> measures;
  Statement row = tx.query(
      "SELECT m.night, c.name, m.version, v.delta, m.pictures, m.count, m.conditions, m.identity, m.fidelity,"
      " m.seconds, m.outcome FROM night_measure m JOIN concept c ON c.id = m.concept"
      " JOIN version v ON v.concept = m.concept AND v.number = m.version"
      " WHERE m.night BETWEEN ? AND ? ORDER BY m.night, c.name",
      first_night, last_night);
  while (row.step())
    measures.push_back({.night = row.integer(0),
                        .name = row.text(1),
                        .version = row.number(2),
                        .delta = row.digest(3),
                        .pictures = row.digest(4),
                        .count = row.number(5),
                        .conditions = row.text(6),
                        .identity = row.maybe(7, &Statement::real),
                        .fidelity = row.real(8),
                        .seconds = row.real(9),
                        .outcome = row.text(10)});
  return measures;
}

std::vector<int> NightStore::oldest_buckets(int count) const {
  Transaction tx(database_, Kind::read, "choosing what to verify");
  std::vector<int> buckets;
  Statement row = tx.query(
      "WITH RECURSIVE bucket (first_byte) AS (SELECT 0 UNION ALL SELECT first_byte + 1 FROM bucket WHERE first_byte < "
      "255)"
      " SELECT b.first_byte FROM bucket b LEFT JOIN verified_bucket v ON v.first_byte = b.first_byte"
      " ORDER BY coalesce(v.night, 0), b.first_byte LIMIT ?",
      count);
  while (row.step()) buckets.push_back(row.number(0));
  return buckets;
}

void NightStore::note_verified(std::int64_t night, int first_byte) {
  Transaction tx(database_, Kind::immediate, "noting what was verified");
  require_running_night(tx, night);
  tx.run("INSERT OR REPLACE INTO verified_bucket (first_byte, night, at) VALUES (?, ?, ?)", first_byte, night,
         clock_.now());
  tx.commit();
}

std::optional<TimePoint> NightStore::verified_since() const {
  Transaction tx(database_, Kind::read, "reading what was verified");
  Statement row = tx.query("SELECT min(at) FROM verified_bucket HAVING count(*) = 256");
  return row.step() ? std::optional(row.time(0)) : std::nullopt;
}

}  // namespace conceptd::registry
