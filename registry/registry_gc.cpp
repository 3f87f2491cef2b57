// Registry: erasing what nothing reaches. Rows first, in one transaction; then the files that no row names any more.
#include <algorithm>
#include <functional>
#include <set>

#include "registry/blob_store.h"
#include "registry/registry.h"
#include "registry/rows.h"
#include "registry/sqlite.h"

namespace conceptd::registry {
namespace {

using Kind = Transaction::Kind;

struct Condemned {
  Digest digest;
  std::int64_t bytes = 0;
};

// ?1: the first state that is kept. ?2: nothing made after this is erased.
constexpr std::string_view kRoots =
    "WITH root (concept, version) AS ("
    "  SELECT concept, version FROM state_entry WHERE state >= ?1"
    "  UNION SELECT concept, version FROM pin"
    "  UNION SELECT concept, version FROM alias"
    "  UNION SELECT e.concept, max(v.number) FROM state_entry e JOIN version v ON v.concept = e.concept"
    "    AND v.number < e.version WHERE e.state = (SELECT state FROM head) AND EXISTS (SELECT 1 FROM state_entry o"
    "      WHERE o.concept = v.concept AND o.version = v.number) GROUP BY e.concept"
    "  UNION SELECT concept, version FROM night_learnt WHERE outcome = 'waiting'"
    "  UNION SELECT v.concept, v.number FROM version v JOIN job j ON j.concept = v.concept AND j.state = 'running'"
    "  UNION SELECT concept, number FROM version WHERE created_at > ?2) ";

std::vector<Condemned> unreached_deltas(Transaction& tx, std::int64_t first_state, TimePoint cutoff) {
  std::vector<Condemned> found;
  Statement row = tx.query(std::string(kRoots) +
                               "SELECT d.digest, length(d.bytes) FROM delta d WHERE length(d.bytes) > 0"
                               " AND d.digest NOT IN (SELECT v.delta FROM version v JOIN root r"
                               "   ON r.concept = v.concept AND r.version = v.number)"
                               " AND NOT EXISTS (SELECT 1 FROM state s WHERE s.id >= ?1 AND s.consolidated = d.digest)"
                               // What no version has is what a night made of many, and may be about to publish.
                               " AND (EXISTS (SELECT 1 FROM version v WHERE v.delta = d.digest)"
                               "   OR NOT EXISTS (SELECT 1 FROM night WHERE state = 'running' AND published = 0))",
                           first_state, cutoff);
  while (row.step()) found.push_back({row.digest(0), row.integer(1)});
  return found;
}

std::vector<Condemned> previews_of_erased(Transaction& tx) {
  std::vector<Condemned> found;
  Statement row = tx.query(
      "SELECT p.digest, length(p.png) FROM preview p WHERE length(p.png) > 0 AND NOT EXISTS"
      " (SELECT 1 FROM version v JOIN delta d ON d.digest = v.delta WHERE v.preview = p.digest AND length(d.bytes) > "
      "0)");
  while (row.step()) found.push_back({row.digest(0), row.integer(1)});
  return found;
}

// Concepts that were removed before the cutoff let go of their photos, names and captions of them included.
void forget_removed(Transaction& tx, TimePoint cutoff, GcReport& report) {
  constexpr std::string_view kRemoved = "removed_at <= ? AND id IN (SELECT concept FROM concept_photo)";
  Statement row = tx.query("SELECT name FROM concept WHERE " + std::string(kRemoved) + " ORDER BY name", cutoff);
  while (row.step()) report.concepts.push_back(row.text(0));
  tx.run("DELETE FROM concept_photo WHERE concept IN (SELECT id FROM concept WHERE removed_at <= ?)", cutoff);
}

std::vector<Condemned> photos_of_nobody(Transaction& tx, TimePoint cutoff) {
  std::vector<Condemned> found;
  Statement row = tx.query(
      "SELECT p.digest, p.size_bytes FROM photo p WHERE p.created_at <= ?"
      " AND NOT EXISTS (SELECT 1 FROM concept_photo cp WHERE cp.photo = p.digest)",
      cutoff);
  while (row.step()) found.push_back({row.digest(0), row.integer(1)});
  return found;
}

void note_erased(Transaction& tx, const Condemned& item, const char* kind, TimePoint now, GcReport& report) {
  tx.run("INSERT OR REPLACE INTO erasure (digest, kind, size_bytes, erased_at) VALUES (?, ?, ?, ?)", item.digest, kind,
         item.bytes, now);
  report.bytes += item.bytes;
}

void erase_deltas(Transaction& tx, const std::vector<Condemned>& condemned, TimePoint now, GcReport& report) {
  for (const Condemned& item : condemned) {
    Statement row = tx.query(
        "SELECT c.name, v.number FROM version v JOIN concept c ON c.id = v.concept WHERE v.delta = ?"
        " ORDER BY c.name, v.number",
        item.digest);
    while (row.step()) report.versions.push_back({row.text(0), row.number(1), item.bytes});
    note_erased(tx, item, "delta", now, report);
    tx.run("UPDATE delta SET bytes = x'' WHERE digest = ?", item.digest);
  }
}

void erase_photos(Transaction& tx, const std::vector<Condemned>& condemned, TimePoint now, GcReport& report) {
  for (const Condemned& item : condemned) {
    note_erased(tx, item, "photo", now, report);
    tx.run("DELETE FROM photo WHERE digest = ?", item.digest);
    ++report.photos;
  }
}

// A crash between the rows and the files, or before a row was written, leaves files that nothing names. Under the
// database's lock, as whoever adds a photo looks for its file again under that lock.
std::vector<Digest> stray_files(Transaction& tx, const BlobStore& photos) {
  std::vector<Digest> strays;
  Statement known = tx.query("SELECT count(*) FROM photo WHERE digest = ?", Digest());
  for (const Digest& digest : photos.list())
    if (known.bind(digest).step() && known.integer(0) == 0) strays.push_back(digest);
  return strays;
}

int count_beyond(const std::vector<Digest>& files, int erased) {
  return std::max(0, static_cast<int>(files.size()) - erased);
}

// The first hundred names; the table of erasures has every digest.
Json detail_of(const GcReport& report, const GcPolicy& policy) {
  constexpr std::size_t kNamed = 100;
  Json versions = Json::array(), concepts = Json::array();
  for (const ErasedVersion& version : report.versions)
    if (versions.size() < kNamed) versions.push_back(version.name + "@" + std::to_string(version.number));
  for (const std::string& name : report.concepts)
    if (concepts.size() < kNamed) concepts.push_back(name);
  return {{"versions", versions},
          {"versions_count", report.versions.size()},
          {"photos_of", concepts},
          {"photos", report.photos},
          {"previews", report.previews},
          {"bytes", report.bytes},
          {"keep_states", policy.keep_states},
          {"older_than_s", policy.older_than.count() / 1000}};
}

Error damaged(const Digest& digest) {
  return Error(Code::corrupt, "delta " + digest.hex() +
                                  " is damaged, so nothing is erased; conceptctl verify --deep lists what is wrong");
}

std::set<Digest> digests_of(const std::vector<Condemned>& condemned) {
  std::set<Digest> digests;
  for (const Condemned& item : condemned) digests.insert(item.digest);
  return digests;
}

constexpr std::string_view kDeltas = "SELECT digest FROM delta WHERE length(bytes) > 0";
constexpr std::string_view kBytes = "SELECT bytes FROM delta WHERE digest = ? AND length(bytes) > 0";

// Hashes what would be kept now, without the lock, so that readers and writers get through between two deltas. Which
// ones were good.
std::set<Digest> hash_what_is_kept(Database& database,
                                   const std::function<std::vector<Condemned>(Transaction&)>& find) {
  std::vector<Digest> kept;
  {
    Transaction tx(database, Kind::read, "listing what gc keeps");
    const std::set<Digest> goes = digests_of(find(tx));
    Statement row = tx.query(kDeltas);
    while (row.step())
      if (const Digest digest = row.digest(0); !goes.contains(digest)) kept.push_back(digest);
  }
  std::set<Digest> good;
  for (const Digest& digest : kept) {
    std::string bytes;
    {
      Transaction tx(database, Kind::read, "checking what gc keeps");
      Statement row = tx.query(kBytes, digest);
      if (!row.step()) continue;
      bytes = row.blob(0);
    }
    if (Digest::of(bytes) != digest) throw damaged(digest);
    good.insert(digest);
  }
  return good;
}

// What is kept is known to be good before anything else goes; what has joined it since `good` was made is hashed here.
void check_what_is_kept(Transaction& tx, const std::vector<Condemned>& condemned, const std::set<Digest>& good,
                        const Database& database) {
  if (database.storage_failed())
    throw Error(Code::corrupt,
                "the storage has failed since the daemon started (its log says how), so nothing is erased; check it "
                "(conceptctl verify --deep), restart, then try again");
  Statement integrity = tx.query("PRAGMA quick_check(1)");
  if (!integrity.step() || integrity.text(0) != "ok")
    throw Error(Code::corrupt, "the database is damaged, so nothing is erased: " + integrity.text(0));
  const std::set<Digest> goes = digests_of(condemned);
  Statement row = tx.query(kDeltas), bytes = tx.query(kBytes, Digest());
  while (row.step()) {
    const Digest digest = row.digest(0);
    if (goes.contains(digest) || good.contains(digest)) continue;
    if (!bytes.bind(digest).step() || Digest::of(bytes.blob(0)) != digest) throw damaged(digest);
  }
}

}  // namespace

GcReport Registry::gc(const GcPolicy& policy, const std::string& actor) {
  if (policy.keep_states < 1) throw Error(Code::invalid, "gc keeps at least one state, the current one", "keep_states");
  if (policy.older_than < std::chrono::milliseconds(0))
    throw Error(Code::invalid, "an age is not negative", "older_than_s");
  const std::unique_lock upkeep(upkeep_mutex_, std::try_to_lock);
  if (!upkeep) throw Error(Code::busy, "a backup or another gc is running; try again when it is done");
  GcReport report;
  const TimePoint now = clock_.now(), cutoff = now - policy.older_than;
  const auto find = [&](Transaction& tx) { return unreached_deltas(tx, head_id(tx) - policy.keep_states + 1, cutoff); };
  const std::set<Digest> good = hash_what_is_kept(*database_, find);
  {
    Transaction tx(*database_, Kind::immediate, "erasing what nothing reaches");
    const std::vector<Condemned> deltas = find(tx);
    check_what_is_kept(tx, deltas, good, *database_);
    erase_deltas(tx, deltas, now, report);
    for (const Condemned& item : previews_of_erased(tx)) {
      note_erased(tx, item, "preview", now, report);
      tx.run("UPDATE preview SET png = x'' WHERE digest = ?", item.digest);
      ++report.previews;
    }
    forget_removed(tx, cutoff, report);
    erase_photos(tx, photos_of_nobody(tx, cutoff), now, report);
    if (policy.dry_run) {  // rolled back: the report is what would have been
      report.stray_files = count_beyond(stray_files(tx, *photos_), report.photos);
      return report;
    }
    if (!deltas.empty() || !report.concepts.empty() || report.previews + report.photos > 0) {
      append_audit(tx, now, actor, "gc", "state " + std::to_string(head_id(tx)), detail_of(report, policy));
      tx.commit();
    }
  }
  Transaction tx(*database_, Kind::immediate, "removing the files of erased photos");
  const std::vector<Digest> strays = stray_files(tx, *photos_);
  for (const Digest& digest : strays) photos_->remove(digest);
  report.stray_files = count_beyond(strays, report.photos);
  return report;
}

}  // namespace conceptd::registry
