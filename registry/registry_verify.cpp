// Registry: what must always be true, checked against what is there.
#include <optional>
#include <utility>

#include "registry/blob_store.h"
#include "registry/registry.h"
#include "registry/rows.h"
#include "registry/sqlite.h"

namespace conceptd::registry {
namespace {

using Faults = std::vector<std::string>;

void check_database(Transaction& tx, bool deep, Faults& faults) {
  Statement integrity = tx.query(deep ? "PRAGMA integrity_check(20)" : "PRAGMA quick_check(20)");
  while (integrity.step())
    if (integrity.text(0) != "ok") faults.push_back("SQLite: " + integrity.text(0));
  Statement foreign = tx.query("PRAGMA foreign_key_check");
  while (foreign.step()) faults.push_back("a row of " + foreign.text(0) + " refers to nothing in " + foreign.text(2));
}

// What is hashed is hashed without the lock, so that readers and writers get through between two of them; what gc takes
// meanwhile is no fault.
// bucket: of digests that begin with this byte; empty: of all.
void check_blobs(Database& database, const std::optional<std::string>& bucket, Faults& faults) {
  struct Kind {
    std::string table, column;
  };
  for (const auto& [table, column] : {Kind{"delta", "bytes"}, Kind{"preview", "png"}}) {
    const std::string from = " FROM " + table +
                             " b WHERE NOT EXISTS (SELECT 1 FROM erasure e WHERE e.digest = b.digest" +
                             " AND e.kind = '" + table + "')";
    std::vector<Digest> digests;
    {
      Transaction tx(database, Transaction::Kind::read, "listing what is to be verified");
      Statement row = bucket ? tx.query("SELECT b.digest" + from + " AND substr(b.digest, 1, 1) = ?", Blob{*bucket})
                             : tx.query("SELECT b.digest" + from);
      while (row.step()) digests.push_back(row.digest(0));
    }
    for (const Digest& digest : digests) {
      std::optional<std::string> bytes;
      {
        Transaction tx(database, Transaction::Kind::read, "verifying a " + table);
        Statement row = tx.query("SELECT b." + column + from + " AND b.digest = ?", digest);
        if (row.step()) bytes = row.blob(0);
      }
      if (bytes && Digest::of(*bytes) != digest) faults.push_back(table + " " + digest.hex() + " is damaged");
    }
  }
}

void check_photos(Database& database, const BlobStore& photos, bool deep, const std::optional<std::string>& bucket,
                  Faults& faults) {
  std::vector<std::pair<Digest, std::int64_t>> known;
  {
    Transaction tx(database, Transaction::Kind::read, "listing the photos to be verified");
    Statement row = bucket
                        ? tx.query("SELECT digest, size_bytes FROM photo WHERE substr(digest, 1, 1) = ?", Blob{*bucket})
                        : tx.query("SELECT digest, size_bytes FROM photo");
    while (row.step()) known.emplace_back(row.digest(0), row.integer(1));
  }
  for (const auto& [digest, size] : known) {
    const auto is_good = [&, &digest = digest, size = size] {
      return deep ? photos.verify(digest) : photos.holds(digest, size);
    };
    if (is_good()) continue;
    // gc takes the row first and the file under the lock: who has a row has a file.
    Transaction tx(database, Transaction::Kind::read, "looking at a photo again");
    if (tx.value("SELECT count(*) FROM photo WHERE digest = ?", digest) > 0 && !is_good())
      faults.push_back("photo " + digest.hex() + " is missing or damaged");
  }
}

// Rules that the schema cannot say.
void check_rows(Transaction& tx, Faults& faults) {
  struct Rule {
    const char* sql;  // one text for each row that breaks the rule
    const char* what;
  };
  constexpr Rule kRules[] = {
      {"SELECT c.name || '@' || v.number FROM version v JOIN concept c ON c.id = v.concept WHERE v.number > "
       "c.newest_version",
       " has a number that its concept has not given"},
      {"SELECT c.name || '@' || e.version || ' in state ' || e.state FROM state_entry e JOIN concept c ON c.id = "
       "e.concept"
       " JOIN version v ON v.concept = e.concept AND v.number = e.version WHERE v.verdict <> 'accepted'"
       " AND NOT EXISTS (SELECT 1 FROM gate_override o WHERE o.concept = v.concept AND o.version = v.number)",
       " was published although it was rejected"},
      {"SELECT c.name FROM state_entry e JOIN concept c ON c.id = e.concept WHERE e.state = (SELECT state FROM head)"
       " AND c.removed_at IS NOT NULL",
       " is in the current state although it was removed"},
      {"SELECT c.name FROM concept c WHERE c.removed_at IS NULL"
       " AND NOT EXISTS (SELECT 1 FROM concept_photo p WHERE p.concept = c.id)"
       " AND NOT EXISTS (SELECT 1 FROM import i WHERE i.concept = c.id)",
       " has no photo"},
      {"SELECT c.name FROM pin p JOIN concept c ON c.id = p.concept WHERE NOT EXISTS (SELECT 1 FROM state_entry e"
       " WHERE e.state = (SELECT state FROM head) AND e.concept = p.concept AND e.version = p.version)",
       " is pinned at a version that is not live"},
      {"SELECT c.name || '@' || v.number FROM version v JOIN concept c ON c.id = v.concept"
       " JOIN erasure x ON x.digest = v.delta AND x.kind = 'delta' WHERE"
       " EXISTS (SELECT 1 FROM state_entry e WHERE e.state = (SELECT state FROM head) AND e.concept = v.concept"
       "   AND e.version = v.number)"
       " OR EXISTS (SELECT 1 FROM alias a WHERE a.concept = v.concept AND a.version = v.number)",
       " was erased although it is live or has an alias"},
      {"SELECT 'delta ' || lower(hex(d.digest)) FROM delta d JOIN erasure x ON x.digest = d.digest AND x.kind = 'delta'"
       " WHERE length(d.bytes) > 0",
       " is said to be erased and is not"},
      {"SELECT 'state ' || s.id FROM state s JOIN delta d ON d.digest = s.consolidated WHERE length(d.bytes) = 0"
       " AND s.id = (SELECT state FROM head)",
       " is drawn from a consolidated delta that was erased"},
      {"SELECT 'photo ' || lower(hex(p.digest)) FROM photo p JOIN erasure x ON x.digest = p.digest AND x.kind = "
       "'photo'",
       " is said to be erased and is not"},
      {"SELECT 'delta ' || lower(hex(d.digest)) FROM delta d WHERE length(d.bytes) = 0"
       " AND NOT EXISTS (SELECT 1 FROM erasure x WHERE x.digest = d.digest AND x.kind = 'delta')",
       " is empty and was not erased"},
      {"SELECT 'job ' || j.id FROM job j JOIN version v ON v.job = j.id WHERE j.state <> 'done'",
       " has a version and is not done"},
      {"SELECT 'job ' || job FROM version WHERE job IS NOT NULL GROUP BY job HAVING count(*) > 1", " has two versions"},
      {"SELECT 'night ' || l.night FROM night_learnt l JOIN night n ON n.id = l.night WHERE l.outcome = 'waiting'"
       " AND n.published",
       " has decided, and keeps a version waiting"},
      {"SELECT c.name || '@' || l.version FROM night_learnt l JOIN concept c ON c.id = l.concept"
       " WHERE l.outcome = 'published' AND NOT EXISTS (SELECT 1 FROM state_entry e WHERE e.concept = l.concept"
       " AND e.version = l.version)",
       " is said to be published by a night and is in no state"},
      {"SELECT 'concept ' || concept FROM job WHERE kind = 'learn' AND state = 'running' GROUP BY concept HAVING "
       "count(*) > 1",
       " is learnt by two jobs at once"},
  };
  for (const Rule& rule : kRules) {
    Statement row = tx.query(rule.sql);
    while (row.step()) faults.push_back(row.text(0) + rule.what);
  }
  if (tx.value("SELECT state FROM head") != tx.value("SELECT max(id) FROM state"))
    faults.push_back("the head is not the newest state");
  if (tx.value("SELECT count(*) FROM head") != 1) faults.push_back("there is no head");
}

}  // namespace

std::vector<std::string> Registry::verify(Depth depth) const {
  const bool deep = depth == Depth::deep;
  Faults faults;
  if (deep) check_blobs(*database_, std::nullopt, faults);
  check_photos(*database_, *photos_, deep, std::nullopt, faults);
  Transaction tx(*database_, Transaction::Kind::read, "verifying the registry");
  check_database(tx, deep, faults);
  check_rows(tx, faults);
  if (const auto fault = fault_in_audit_chain(tx)) faults.push_back(*fault);
  return faults;
}

std::vector<std::string> Registry::verify_bucket(int first_byte) const {
  if (first_byte < 0 || first_byte > 255) throw Error(Code::invalid, "a byte is from 0 to 255", "first_byte");
  const std::string bucket(1, static_cast<char>(first_byte));
  Faults faults;
  check_blobs(*database_, bucket, faults);
  check_photos(*database_, *photos_, /*deep=*/true, bucket, faults);
  return faults;
}

}  // namespace conceptd::registry
