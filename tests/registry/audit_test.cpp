// The audit chain, and the registry's own verification: each is shown a fault that somebody made with SQLite alone.
#include "registry/sqlite.h"
#include "tests/registry/registry_fixture.h"

namespace conceptd::registry::test {
namespace {

using testing::Contains;
using testing::HasSubstr;

constexpr auto kOver = std::filesystem::copy_options::overwrite_existing;

class Audit : public RegistryTest {
 protected:
  // As somebody with the file and a shell could: triggers first, then the rows.
  void tamper(const std::string& sql) {
    registry_.reset();
    {
      Database database(folder_ / "data/registry.db");
      database.execute("PRAGMA foreign_keys = OFF", "tampering");
      Transaction tx(database, Transaction::Kind::immediate, "tampering");
      std::vector<std::string> triggers;
      Statement row = tx.query("SELECT name FROM sqlite_master WHERE type = 'trigger'");
      while (row.step()) triggers.push_back(row.text(0));
      for (const std::string& trigger : triggers) tx.script("DROP TRIGGER " + trigger);
      tx.script(sql);
      tx.commit();
    }
    registry_ = Registry::open(folder_ / "data", clock_);
  }
  void TearDown() override {}
};

TEST_F(Audit, RecordsWhoDidWhatWhenAndWhy) {
  add_and_learn("a", "delta-1");
  clock_.advance(1h);
  relearn("a", "delta-2");
  registry().roll_back(name_of("a"), 1, "alice", "too green");
  const auto rows = registry().audit("a");
  ASSERT_FALSE(rows.empty());
  EXPECT_EQ(rows[0].action, "rollback");
  EXPECT_EQ(rows[0].actor, "alice");
  EXPECT_EQ(rows[0].at, clock_.now());
  EXPECT_EQ(
      rows[0].detail,
      (Json{
          {"from", 2}, {"to", 3}, {"from_version", 2}, {"to_version", 1}, {"pinned", true}, {"reason", "too green"}}));
  std::vector<std::string> actions;
  for (const AuditRow& row : rows) actions.push_back(row.action);
  EXPECT_THAT(actions,
              testing::ElementsAre("rollback", "publish", "learnt", "learn", "publish", "learnt", "learn", "add"));
  EXPECT_EQ(registry().audit("a", 2).size(), 2u);
  EXPECT_EQ(registry().verify_audit_chain(), std::nullopt);
}

TEST_F(Audit, WhatChangedNothingLeavesNoRow) {
  add("a");
  const auto before = registry().audit().size();
  EXPECT_ERROR(add("a"), Code::conflict, "exists");
  EXPECT_ERROR(registry().roll_back(name_of("a"), 1, "t", ""), Code::not_found, "a@1");
  EXPECT_EQ(registry().audit().size(), before);
}

TEST_F(Audit, AChangedRowIsSeenWhicheverColumnItWas) {
  add_and_learn("a", "delta-1");
  registry().back_up(folder_ / "good", "tester");
  for (const char* change : {"actor = 'nobody'", "at = at + 1", "detail = '{}'", "subject = 'b'", "action = 'look'"}) {
    registry_.reset();
    std::filesystem::copy_file(folder_ / "good/registry.db", folder_ / "data/registry.db", kOver);
    tamper(std::string("UPDATE audit SET ") + change + " WHERE id = 2");
    EXPECT_THAT(registry().verify_audit_chain().value_or(""), HasSubstr("audit row 2")) << change;
    EXPECT_THAT(registry().verify(), Contains(HasSubstr("audit row 2")));
  }
}

TEST_F(Audit, AMissingRowAndACutTailAreSeen) {
  add_and_learn("a", "delta-1");
  tamper("DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)");
  EXPECT_THAT(registry().verify_audit_chain().value_or(""), HasSubstr("were written"));
  tamper("DELETE FROM audit WHERE id = 2");
  EXPECT_THAT(registry().verify_audit_chain().value_or(""), HasSubstr("row 2 is missing"));
}

TEST_F(Audit, TheDatabaseItselfRefusesToChangeWhatIsImmutable) {
  add_and_learn("a", "delta-1");
  registry_.reset();
  Database database(folder_ / "data/registry.db");
  for (const char* sql :
       {"UPDATE audit SET actor = 'x'", "DELETE FROM audit", "UPDATE version SET method = 'x'",
        "UPDATE delta SET bytes = x'00'", "UPDATE state SET reason = 'x'", "UPDATE state_entry SET version = 2",
        "DELETE FROM head", "DELETE FROM version", "DELETE FROM state_entry", "DELETE FROM delta", "DELETE FROM state",
        "UPDATE preview SET png = x''", "UPDATE delta SET bytes = x''"}) {
    Transaction tx(database, Transaction::Kind::immediate, "tampering");
    EXPECT_ERROR(tx.run(sql), Code::internal, "tampering");
  }
}

TEST_F(Audit, ADamagedDeltaIsAnErrorNeverBytes) {
  const Digest digest = add_and_learn("a", "delta-1").version.delta;
  tamper("UPDATE delta SET bytes = CAST('delta-x' AS BLOB)");
  EXPECT_ERROR(registry().delta(digest), Code::corrupt, "damaged");
  EXPECT_THAT(registry().verify(), Contains(HasSubstr("is damaged")));
}

TEST_F(Audit, VerifySeesEveryBrokenRule) {
  add_and_learn("a", "delta-1");
  relearn("a", "delta-2", Verdict::rejected);
  const std::pair<const char*, const char*> faults[] = {
      {"UPDATE state_entry SET version = 2", "although it was rejected"},
      {"UPDATE concept SET removed_at = 1", "although it was removed"},
      {"UPDATE concept SET newest_version = 1", "has not given"},
      {"UPDATE job SET state = 'queued', finished_at = NULL WHERE id = 2", "is not done"},
      {"UPDATE head SET state = 0", "not the newest"},
      {"DELETE FROM concept_photo", "has no photo"},
      {"DELETE FROM version WHERE number = 1", "refers to nothing"},
      {"INSERT INTO pin VALUES (1, 2, '', 't', 1)", "pinned at a version that is not live"},
      {"UPDATE delta SET bytes = x''", "is empty and was not erased"},
      {"INSERT INTO erasure SELECT digest, 'delta', 7, 1 FROM delta", "erased although it is live"},
      {"INSERT INTO erasure SELECT digest, 'delta', 7, 1 FROM delta", "is said to be erased and is not"},
      {"INSERT INTO erasure SELECT digest, 'photo', 7, 1 FROM photo", "is said to be erased and is not"},
  };
  registry().back_up(folder_ / "good", "tester");
  for (const auto& [sql, fault] : faults) {
    registry_.reset();
    std::filesystem::copy_file(folder_ / "good/registry.db", folder_ / "data/registry.db", kOver);
    tamper(sql);
    EXPECT_THAT(registry().verify(), Contains(HasSubstr(fault))) << sql;
  }
}

}  // namespace
}  // namespace conceptd::registry::test
