#include "registry/sqlite.h"

#include <limits>
#include <thread>

#include "core/file_io.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_folder.h"

namespace conceptd::registry {
namespace {

using Kind = Transaction::Kind;

class Sqlite : public testing::Test {
 protected:
  Sqlite() {
    Transaction tx(database_, Kind::immediate, "setting up");
    tx.script("CREATE TABLE t (id INTEGER PRIMARY KEY, x ANY, u TEXT UNIQUE) STRICT");
    tx.commit();
  }
  std::int64_t rows() {
    Transaction tx(database_, Kind::read, "counting");
    return tx.value("SELECT count(*) FROM t");
  }
  conceptd::test::TempFolder folder_;
  Database database_{folder_ / "t.db"};
};

TEST_F(Sqlite, OpensWithTheSettingsThatDurabilityNeeds) {
  Transaction tx(database_, Kind::read, "reading pragmas");
  Statement mode = tx.query("PRAGMA journal_mode");
  ASSERT_TRUE(mode.step());
  EXPECT_EQ(mode.text(0), "wal");
  EXPECT_EQ(tx.value("PRAGMA synchronous"), 2) << "FULL";
  EXPECT_EQ(tx.value("PRAGMA foreign_keys"), 1);
  EXPECT_GT(tx.value("PRAGMA busy_timeout"), 0);
}

TEST_F(Sqlite, EveryKindOfValueComesBackAsItWent) {
  Transaction tx(database_, Kind::immediate, "binding");
  const auto back = [&](const auto& value) {
    tx.run("DELETE FROM t");
    tx.run("INSERT INTO t (x) VALUES (?)", value);
    Statement row = tx.query("SELECT x FROM t");
    EXPECT_TRUE(row.step());
    return row;
  };
  for (const std::int64_t number : {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::max()})
    EXPECT_EQ(back(number).integer(0), number);
  EXPECT_EQ(static_cast<std::uint64_t>(back(0xfedcba9876543210u).integer(0)), 0xfedcba9876543210u);
  EXPECT_EQ(back(0.25).real(0), 0.25);
  EXPECT_EQ(back(std::string("with 'quotes' and \0 inside", 26)).text(0).size(), 26u);
  EXPECT_EQ(back("").text(0), "");
  EXPECT_EQ(back(Blob{std::string_view("\0\xff", 2)}).blob(0), std::string("\0\xff", 2));
  EXPECT_EQ(back(Blob{}).blob(0), "");
  EXPECT_EQ(back(Digest::of("a")).digest(0), Digest::of("a"));
  EXPECT_EQ(back(from_unix_ms(123)).time(0), from_unix_ms(123));
  EXPECT_EQ(back(Json{{"b", 1}, {"a", 2}}).json(0), (Json{{"a", 2}, {"b", 1}}));
  EXPECT_EQ(back(std::optional<int>()).maybe(0, &Statement::number), std::nullopt);
  EXPECT_EQ(back(std::optional<int>(7)).maybe(0, &Statement::number), 7);
}

TEST_F(Sqlite, RollsBackUnlessCommitted) {
  {
    Transaction tx(database_, Kind::immediate, "inserting");
    tx.run("INSERT INTO t (x) VALUES (1)");
  }
  EXPECT_EQ(rows(), 0);
  {
    Transaction tx(database_, Kind::immediate, "inserting");
    tx.run("INSERT INTO t (x) VALUES (1)");
    tx.commit();
  }
  EXPECT_EQ(rows(), 1);
}

TEST_F(Sqlite, AStatementMayBeBoundAgain) {
  Transaction tx(database_, Kind::immediate, "inserting");
  Statement insert = tx.query("INSERT INTO t (x) VALUES (?)");
  for (int i = 0; i < 3; ++i) insert.bind(i).step();
  EXPECT_EQ(tx.value("SELECT sum(x) FROM t"), 3);
}

TEST_F(Sqlite, AnErrorSaysWhatWasBeingDoneWithTheExtendedCode) {
  Transaction tx(database_, Kind::immediate, "publishing kettle-7");
  tx.run("INSERT INTO t (u) VALUES ('a')");
  EXPECT_ERROR(tx.run("INSERT INTO t (u) VALUES ('a')"), Code::internal, "publishing kettle-7: UNIQUE");
  EXPECT_ERROR(tx.run("INSERT INTO t (u) VALUES ('a')"), Code::internal, "2067");
  EXPECT_ERROR(tx.query("SELECT nothing FROM nowhere"), Code::internal, "nowhere");
  EXPECT_ERROR(tx.query("SELECT x FROM t WHERE u = 'a'").text(0), Code::corrupt, "NULL");
  EXPECT_ERROR(tx.run("INSERT INTO t (x) VALUES (?)", Json("\xff")), Code::invalid, "UTF-8");
}

TEST_F(Sqlite, AFileThatIsNotADatabaseIsCorruptNotOurFault) {
  conceptd::test::plant(folder_ / "bad.db", std::string(5000, 'x'));
  EXPECT_ERROR(Database(folder_ / "bad.db"), Code::corrupt, "bad.db");
  EXPECT_ERROR(Database(folder_ / "none/t.db"), Code::not_found, "none");
}

TEST_F(Sqlite, TransactionsOfThreadsFollowOneAnother) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 20; ++k) {
        Transaction tx(database_, Kind::immediate, "adding one");
        tx.run("INSERT INTO t (x) VALUES ((SELECT count(*) FROM t))");
        tx.commit();
      }
    });
  threads.clear();
  Transaction tx(database_, Kind::read, "counting");
  EXPECT_EQ(tx.value("SELECT count(DISTINCT x) FROM t"), 80);
}

TEST_F(Sqlite, ABackupIsACompleteDatabaseUnderItsNameOnly) {
  {
    Transaction tx(database_, Kind::immediate, "inserting");
    for (int i = 0; i < 1000; ++i) tx.run("INSERT INTO t (x) VALUES (?)", std::string(100, 'x'));
    tx.commit();
  }
  back_up_database(database_, folder_ / "backups/it's.db");
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "backups"))
    names.push_back(entry.path().filename());
  EXPECT_EQ(names, std::vector<std::string>{"it's.db"});
  Database copy(folder_ / "backups/it's.db");
  Transaction tx(copy, Kind::read, "counting");
  EXPECT_EQ(tx.value("SELECT count(*) FROM t"), 1000);
}

TEST_F(Sqlite, ABackupThatFailsLeavesNothingBehind) {
  set_durable_step_hook([](const DurableStep& step) {
    if (step.kind == "rename") throw Error(Code::unavailable, "disk full");
  });
  EXPECT_ERROR(back_up_database(database_, folder_ / "backups/b.db"), Code::unavailable, "disk full");
  set_durable_step_hook({});
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "backups"));
}

}  // namespace
}  // namespace conceptd::registry
