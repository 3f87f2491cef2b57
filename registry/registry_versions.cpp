// Registry: versions, deltas, and the end of a learn job.
#include "registry/registry.h"
#include "registry/rows.h"
#include "registry/sqlite.h"

namespace conceptd::registry {
namespace {

using Kind = Transaction::Kind;

std::vector<Digest> photos_of(const ConceptRow& owner) {
  std::vector<Digest> photos;
  for (const Photo& photo : owner.record.photos) photos.push_back(photo.digest);
  return photos;
}

std::string read_blob(Transaction& tx, const char* sql, const Digest& digest, const std::string& what) {
  Statement row = tx.query(sql, digest);
  if (!row.step()) throw Error(Code::not_found, "there is no " + what + " " + digest.hex());
  std::string bytes = row.blob(0);
  if (bytes.empty())
    throw Error(Code::not_found,
                "the " + what + " " + digest.hex() + " was erased by gc; choose a version that is kept");
  if (Digest::of(bytes) != digest)
    throw Error(Code::corrupt, "the " + what + " " + digest.hex() + " is damaged: its bytes do not match its digest");
  return bytes;
}

}  // namespace

void check_version(const NewVersion& version, const RegistryLimits& limits) {
  if (version.method.empty()) throw Error(Code::invalid, "a version needs a method", "method");
  if (version.base_fingerprint.empty()) throw Error(Code::invalid, "a version needs its base's fingerprint", "base");
  if (version.delta.empty()) throw Error(Code::invalid, "a version needs a delta", "delta");
  if (version.delta.size() > limits.delta_bytes_max)
    throw Error(Code::exhausted,
                "a delta of " + std::to_string(version.delta.size()) + " bytes is over the limit of " +
                    std::to_string(limits.delta_bytes_max),
                "delta");
  if (version.preview_png.size() > limits.preview_bytes_max)
    throw Error(Code::exhausted,
                "the preview is over the limit of " + std::to_string(limits.preview_bytes_max) + " bytes", "preview");
}

Digest store_delta(Transaction& tx, const std::string& bytes, TimePoint now) {
  const Digest delta = Digest::of(bytes);
  tx.run("INSERT INTO delta (digest, bytes, created_at) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING", delta,
         Blob{bytes}, now);
  if (tx.run("UPDATE delta SET bytes = ? WHERE digest = ? AND length(bytes) = 0", Blob{bytes}, delta) > 0)
    tx.run("DELETE FROM erasure WHERE digest = ? AND kind = 'delta'", delta);  // learnt again, to the same bytes
  return delta;
}

Version insert_version(Transaction& tx, const ConceptRow& owner, const NewVersion& version,
                       const std::vector<Digest>& learnt_from, std::optional<std::int64_t> job, TimePoint now) {
  const Digest delta = store_delta(tx, version.delta, now);
  std::optional<Digest> preview;
  if (!version.preview_png.empty()) {
    preview = Digest::of(version.preview_png);
    tx.run("INSERT INTO preview (digest, png) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING", preview,
           Blob{version.preview_png});
    if (tx.run("UPDATE preview SET png = ? WHERE digest = ? AND length(png) = 0", Blob{version.preview_png}, preview) >
        0)
      tx.run("DELETE FROM erasure WHERE digest = ? AND kind = 'preview'", preview);
  }
  Json photos = Json::array();
  for (const Digest& photo : learnt_from) photos.push_back(photo.hex());
  const int number = owner.record.newest_version + 1;
  tx.run("UPDATE concept SET newest_version = ? WHERE id = ?", number, owner.id);
  tx.run(
      "INSERT INTO version (concept, number, class_word, method, base_fingerprint, delta, parent, seed, settings, "
      "metrics,"
      " verdict, verdict_reason, photos, preview, job, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
      "?, ?)",
      owner.id, number, owner.record.class_word, version.method, version.base_fingerprint, delta, version.parent,
      version.seed, version.settings, version.metrics, to_string(version.verdict), version.verdict_reason, photos,
      preview, job, now);
  return *find_version(tx, owner.id, number);
}

Json detail_of(const Version& version) {
  Json detail{
      {"version", version.number},        {"delta", version.delta.hex()},          {"method", version.method},
      {"base", version.base_fingerprint}, {"verdict", to_string(version.verdict)}, {"why", version.verdict_reason}};
  if (version.job) detail["job"] = *version.job;
  return detail;
}

std::string read_delta(Transaction& tx, const Digest& digest) {
  return read_blob(tx, "SELECT bytes FROM delta WHERE digest = ?", digest, "delta");
}

Version Registry::stage_version(const NewVersion& version, const std::string& actor) {
  check_version(version, limits_);
  Transaction tx(*database_, Kind::immediate, "storing a version of " + version.name.str());
  const TimePoint now = clock_.now();
  const ConceptRow owner = require_concept(tx, version.name.str());
  Version staged = insert_version(tx, owner, version, photos_of(owner), std::nullopt, now);
  append_audit(tx, now, actor, "stage", staged.name, detail_of(staged));
  tx.commit();
  return staged;
}

namespace {

// The night that a version is learnt for, if it still collects.
std::optional<std::int64_t> collecting(Transaction& tx, std::optional<std::int64_t> night) {
  if (!night ||
      tx.value("SELECT count(*) FROM night WHERE id = ? AND state = 'running' AND published = 0", *night) == 0)
    return std::nullopt;
  return night;
}

void note_learnt(Transaction& tx, std::int64_t night, std::int64_t owner, const Version& version, bool held) {
  const bool accepted = version.verdict == Verdict::accepted;
  tx.run("INSERT INTO night_learnt (night, concept, version, outcome, reason) VALUES (?, ?, ?, ?, ?)", night, owner,
         version.number,
         !accepted ? "refused"
         : held    ? "left"
                   : "waiting",
         !accepted ? version.verdict_reason
         : held    ? std::string("the concept is pinned")
                   : std::string());
}

}  // namespace

CommitOutcome Registry::commit_learned(const CommitRequest& request) {
  check_version(request.version, limits_);
  const std::string& name = request.version.name.str();
  Transaction tx(*database_, Kind::immediate, "committing what job " + std::to_string(request.job) + " learnt");
  const TimePoint now = clock_.now();
  const Job job = require_lease(tx, request.job, request.fence);
  if (job.kind != JobKind::learn || job.name != name)
    throw Error(Code::invalid, "job " + std::to_string(job.id) + " does not learn " + name, "job");
  const bool accepted = request.version.verdict == Verdict::accepted;
  const ConceptRow owner = require_concept(tx, name);
  const bool held = accepted && owner.record.pin;
  const std::optional<std::int64_t> night = collecting(tx, request.night);
  const bool publishes = accepted && !held && !night;
  std::shared_ptr<const State> state = head_in(tx);
  if (publishes && state->id != request.expected_head) return Conflict{state};

  Version version = insert_version(tx, owner, request.version, photos_of(owner), job.id, now);
  Json detail = detail_of(version);
  if (held) detail["held_by_pin"] = owner.record.pin->version;
  if (night) detail["night"] = *night;
  append_audit(tx, now, request.actor, "learnt", name, detail);
  if (night) note_learnt(tx, *night, owner.id, version, held);
  if (publishes) {
    const std::int64_t before = state->id;
    state = insert_state_with(tx, *state, owner, version.number, request.actor, request.reason, now);
    append_audit(tx, now, request.actor, "publish", name,
                 {{"version", version.number}, {"from", before}, {"to", state->id}, {"reason", request.reason}});
    version.published = version.live = true;
  }
  finish_job(tx, job.id, JobState::done, version.number, now);
  commit_head(tx, state);
  return Committed{std::move(version), std::move(state), held, accepted && !held ? night : std::nullopt};
}

Version Registry::version(const ConceptName& name, int number) const {
  Transaction tx(*database_, Kind::read, "reading " + name.str() + "@" + std::to_string(number));
  return require_version(tx, require_concept(tx, name.str(), true), number, false);
}

std::vector<Version> Registry::history(const ConceptName& name) const {
  Transaction tx(*database_, Kind::read, "reading the history of " + name.str());
  return read_versions(tx, require_concept(tx, name.str(), true).id);
}

std::string Registry::delta(const Digest& digest) const {
  Transaction tx(*database_, Kind::read, "reading a delta");
  return read_delta(tx, digest);
}

std::string Registry::preview(const Digest& digest) const {
  Transaction tx(*database_, Kind::read, "reading a preview");
  return read_blob(tx, "SELECT png FROM preview WHERE digest = ?", digest, "preview");
}

}  // namespace conceptd::registry
