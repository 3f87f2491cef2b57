// Registry: what must always be true, checked against what is there.
#include "registry/blob_store.h"
#include "registry/registry.h"
#include "registry/rows.h"
#include "registry/sqlite.h"

namespace conceptd::registry {
namespace {

using Faults = std::vector<std::string>;

void check_database(Transaction& tx, Faults& faults) {
  Statement integrity = tx.query("PRAGMA integrity_check(20)");
  while (integrity.step())
    if (integrity.text(0) != "ok") faults.push_back("SQLite: " + integrity.text(0));
  Statement foreign = tx.query("PRAGMA foreign_key_check");
  while (foreign.step()) faults.push_back("a row of " + foreign.text(0) + " refers to nothing in " + foreign.text(2));
}

void check_blobs(Transaction& tx, Faults& faults) {
  for (const auto& [sql, what] : {std::pair{"SELECT digest, bytes FROM delta", "delta "},
                                  std::pair{"SELECT digest, png FROM preview", "preview "}}) {
    Statement row = tx.query(sql);
    while (row.step())
      if (Digest::of(row.blob(1)) != row.digest(0)) faults.push_back(what + row.digest(0).hex() + " is damaged");
  }
}

void check_photos(Transaction& tx, const BlobStore& photos, Faults& faults) {
  Statement row = tx.query("SELECT digest FROM photo");
  while (row.step())
    if (!photos.verify(row.digest(0))) faults.push_back("photo " + row.digest(0).hex() + " is missing or damaged");
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
       " JOIN version v ON v.concept = e.concept AND v.number = e.version WHERE v.verdict <> 'accepted'",
       " was published although it was rejected"},
      {"SELECT c.name FROM state_entry e JOIN concept c ON c.id = e.concept WHERE e.state = (SELECT state FROM head)"
       " AND c.removed_at IS NOT NULL",
       " is in the current state although it was removed"},
      {"SELECT c.name FROM concept c WHERE NOT EXISTS (SELECT 1 FROM concept_photo p WHERE p.concept = c.id)",
       " has no photo"},
      {"SELECT 'job ' || j.id FROM job j JOIN version v ON v.job = j.id WHERE j.state <> 'done'",
       " has a version and is not done"},
      {"SELECT 'job ' || job FROM version WHERE job IS NOT NULL GROUP BY job HAVING count(*) > 1", " has two versions"},
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

std::vector<std::string> Registry::verify() const {
  Transaction tx(*database_, Transaction::Kind::read, "verifying the registry");
  Faults faults;
  check_database(tx, faults);
  check_blobs(tx, faults);
  check_photos(tx, *photos_, faults);
  check_rows(tx, faults);
  if (const auto fault = fault_in_audit_chain(tx)) faults.push_back(*fault);
  return faults;
}

}  // namespace conceptd::registry
