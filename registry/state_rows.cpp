// Versions, states and the head, read and written.
#include "core/error.h"
#include "registry/rows.h"

namespace conceptd::registry {
namespace {

constexpr std::string_view kSelectVersion =
    "SELECT c.name, v.number, v.method, v.base_fingerprint, v.delta, coalesce(x.size_bytes, length(d.bytes)), "
    "v.parent, v.seed, v.settings,"
    "  v.metrics, v.verdict, v.verdict_reason, v.photos, iif(length(p.png) > 0, v.preview, NULL), v.job, v.created_at,"
    "  EXISTS (SELECT 1 FROM state_entry e WHERE e.concept = v.concept AND e.version = v.number),"
    "  EXISTS (SELECT 1 FROM state_entry e WHERE e.concept = v.concept AND e.version = v.number"
    "    AND e.state = (SELECT state FROM head)),"
    "  x.erased_at, EXISTS (SELECT 1 FROM gate_override o WHERE o.concept = v.concept AND o.version = v.number),"
    "  (SELECT i.origin FROM import i WHERE i.concept = v.concept AND i.version = v.number),"
    "  coalesce((SELECT j.draft FROM job j WHERE j.id = v.job), 0)"
    " FROM version v JOIN concept c ON c.id = v.concept JOIN delta d ON d.digest = v.delta"
    " LEFT JOIN preview p ON p.digest = v.preview LEFT JOIN erasure x ON x.digest = v.delta AND x.kind = 'delta' ";

Version read_version(const Statement& row) {
  std::vector<Digest> photos;
  for (const Json& hex : row.json(12)) photos.push_back(Digest::parse(hex.get<std::string>()));
  return {.name = row.text(0),
          .number = row.number(1),
          .method = row.text(2),
          .base_fingerprint = row.text(3),
          .delta = row.digest(4),
          .delta_bytes = row.integer(5),
          .erased_at = row.maybe(18, &Statement::time),
          .parent = row.maybe(6, &Statement::number),
          .seed = static_cast<std::uint64_t>(row.integer(7)),
          .settings = row.json(8),
          .metrics = row.json(9),
          .verdict = verdict_from_string(row.text(10)),
          .verdict_reason = row.text(11),
          .photos = std::move(photos),
          .preview = row.maybe(13, &Statement::digest),
          .job = row.maybe(14, &Statement::integer),
          .origin = row.maybe(20, &Statement::json).value_or(Json()),
          .created_at = row.time(15),
          .published = row.integer(16) != 0,
          .live = row.integer(17) != 0,
          .overridden = row.integer(19) != 0,
          .draft = row.integer(21) != 0};
}

constexpr std::string_view kSelectEntry =
    "SELECT v.number, v.delta, v.class_word, v.method, v.base_fingerprint, c.name"
    " FROM version v JOIN concept c ON c.id = v.concept ";

StateEntry read_entry_row(const Statement& row) {
  return {.version = row.number(0),
          .delta = row.digest(1),
          .class_word = row.text(2),
          .method = row.text(3),
          .base_fingerprint = row.text(4)};
}

}  // namespace

std::optional<Version> find_version(Transaction& tx, std::int64_t concept_id, int number) {
  Statement row = tx.query(std::string(kSelectVersion) + "WHERE v.concept = ? AND v.number = ?", concept_id, number);
  if (!row.step()) return std::nullopt;
  return read_version(row);
}

std::vector<Version> read_versions(Transaction& tx, std::int64_t concept_id) {
  std::vector<Version> versions;
  Statement row = tx.query(std::string(kSelectVersion) + "WHERE v.concept = ? ORDER BY v.number DESC", concept_id);
  while (row.step()) versions.push_back(read_version(row));
  return versions;
}

Version require_version(Transaction& tx, const ConceptRow& owner, int number, bool with_bytes) {
  const std::string which = owner.record.name + "@" + std::to_string(number);
  std::optional<Version> found = find_version(tx, owner.id, number);
  if (!found) {
    const int newest = owner.record.newest_version;
    throw Error(Code::not_found,
                which + ": " + owner.record.name + " has no version " + std::to_string(number) +
                    (newest == 0 ? "; it has not been learnt yet" : " (the newest is " + std::to_string(newest) + ")"),
                "version");
  }
  if (with_bytes && found->erased_at)
    throw Error(Code::conflict,
                which + " was erased by gc at " + to_iso8601(*found->erased_at) + "; choose a version that is kept",
                "version");
  return *std::move(found);
}

std::optional<int> version_before(Transaction& tx, const ConceptRow& owner) {
  if (!owner.record.live_version) return std::nullopt;
  const std::int64_t number = tx.value("SELECT max(version) FROM state_entry WHERE concept = ? AND version < ?",
                                       owner.id, *owner.record.live_version);
  return number == 0 ? std::nullopt : std::optional(static_cast<int>(number));
}

std::int64_t head_id(Transaction& tx) { return tx.value("SELECT state FROM head"); }

StateEntry read_entry(Transaction& tx, std::int64_t concept_id, int number) {
  Statement row = tx.query(std::string(kSelectEntry) + "WHERE v.concept = ? AND v.number = ?", concept_id, number);
  if (!row.step()) throw Error(Code::internal, tx.doing() + ": version " + std::to_string(number) + " has no row");
  return read_entry_row(row);
}

std::shared_ptr<const State> read_state(Transaction& tx, std::int64_t id) {
  Statement row = tx.query("SELECT id, parent, reason, actor, created_at, consolidated FROM state WHERE id = ?", id);
  if (!row.step())
    throw Error(Code::not_found,
                "there is no state " + std::to_string(id) + " (the newest is " + std::to_string(head_id(tx)) + ")",
                "state");
  auto state = std::make_shared<State>();
  state->id = row.integer(0);
  state->parent = row.maybe(1, &Statement::integer);
  state->reason = row.text(2);
  state->actor = row.text(3);
  state->created_at = row.time(4);
  state->consolidated = row.maybe(5, &Statement::digest);
  Statement entry =
      tx.query(std::string(kSelectEntry) +
                   "JOIN state_entry e ON e.concept = v.concept AND e.version = v.number WHERE e.state = ?",
               id);
  while (entry.step()) state->entries.emplace(entry.text(5), read_entry_row(entry));
  return state;
}

std::shared_ptr<const State> insert_state_with(Transaction& tx, const State& before, const ConceptRow& owner,
                                               std::optional<int> version, const std::string& actor,
                                               const std::string& reason, TimePoint now) {
  State next{.entries = before.entries, .consolidated = before.consolidated, .reason = reason, .actor = actor};
  if (version)
    next.entries.insert_or_assign(owner.record.name, read_entry(tx, owner.id, *version));
  else
    next.entries.erase(owner.record.name);
  return insert_state(tx, std::move(next), now);
}

std::shared_ptr<const State> insert_state(Transaction& tx, State next, TimePoint now) {
  next.parent = head_id(tx);
  next.id = tx.value("SELECT max(id) FROM state") + 1;
  next.created_at = now;
  tx.run("INSERT INTO state (id, parent, consolidated, reason, actor, created_at) VALUES (?, ?, ?, ?, ?, ?)", next.id,
         next.parent, next.consolidated, next.reason, next.actor, next.created_at);
  Statement entry =
      tx.query("INSERT INTO state_entry (state, concept, version) SELECT ?, id, ? FROM concept WHERE name = ?");
  for (const auto& [name, what] : next.entries) entry.bind(next.id, what.version, name).step();
  tx.run("UPDATE head SET state = ?", next.id);
  return std::make_shared<const State>(std::move(next));
}

}  // namespace conceptd::registry
