#include "registry/migrate.h"

#include "core/fake_clock.h"
#include "core/file_io.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_folder.h"

namespace conceptd::registry {
namespace {

using Kind = Transaction::Kind;

constexpr Migration kOne{"0001_one", "d1", "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1);"};
constexpr Migration kTwo{"0002_two", "d2", "CREATE TABLE b (x INTEGER) STRICT;"};
constexpr Migration kBad{"0002_bad", "d3", "CREATE TABLE c (x INTEGER) STRICT; INSERT INTO nowhere VALUES (1);"};

class Migrate : public testing::Test {
 protected:
  MigrateReport run(std::vector<Migration> known) {
    Database database(folder_ / "r.db");
    return migrate(database, known, clock_, folder_ / "backups");
  }
  std::int64_t value(const std::filesystem::path& file, const std::string& sql) {
    Database database(file);
    Transaction tx(database, Kind::read, "looking");
    return tx.value(sql);
  }
  std::int64_t value(const std::string& sql) { return value(folder_ / "r.db", sql); }

  conceptd::test::TempFolder folder_;
  FakeClock clock_;
};

TEST_F(Migrate, MakesANewDatabaseWithoutABackup) {
  const MigrateReport report = run({kOne, kTwo});
  EXPECT_EQ(report.applied, (std::vector<std::string>{"0001_one", "0002_two"}));
  EXPECT_FALSE(report.backup);
  EXPECT_EQ(value("PRAGMA application_id"), kApplicationId);
}

TEST_F(Migrate, DoesNothingTwice) {
  run({kOne});
  const MigrateReport report = run({kOne});
  EXPECT_TRUE(report.applied.empty());
  EXPECT_FALSE(report.backup);
  EXPECT_EQ(value("SELECT count(*) FROM a"), 1);
}

TEST_F(Migrate, BacksUpWhatIsThereBeforeItChangesIt) {
  run({kOne});
  const MigrateReport report = run({kOne, kTwo});
  EXPECT_EQ(report.applied, std::vector<std::string>{"0002_two"});
  ASSERT_TRUE(report.backup);
  EXPECT_EQ(value(*report.backup, "SELECT count(*) FROM sqlite_master WHERE name = 'a'"), 1);
  EXPECT_EQ(value(*report.backup, "SELECT count(*) FROM sqlite_master WHERE name = 'b'"), 0);
}

TEST_F(Migrate, AppliesAMissingOneOfAnotherLineOfDevelopment) {
  run({kTwo});
  EXPECT_EQ(run({kOne, kTwo}).applied, std::vector<std::string>{"0001_one"});
}

TEST_F(Migrate, AFailingOneChangesNothing) {
  run({kOne});
  EXPECT_ERROR(run({kOne, kBad}), Code::internal, "migration 0002_bad");
  EXPECT_EQ(value("SELECT count(*) FROM sqlite_master WHERE name = 'c'"), 0);
  EXPECT_EQ(run({kOne, kTwo}).applied, std::vector<std::string>{"0002_two"});
}

TEST_F(Migrate, RefusesWhatANewerProgramWrote) {
  run({kOne, kTwo});
  EXPECT_ERROR(run({kOne}), Code::conflict, "newer conceptd (it has migration '0002_two'");
}

TEST_F(Migrate, RefusesAMigrationThatWasEditedAfterwards) {
  run({kOne});
  EXPECT_ERROR(run({{"0001_one", "other", kOne.sql}}), Code::corrupt, "edited");
}

TEST_F(Migrate, RefusesSomebodyElsesDatabase) {
  {
    Database database(folder_ / "r.db");
    Transaction tx(database, Kind::immediate, "planting");
    tx.script("CREATE TABLE bookmarks (url TEXT) STRICT");
    tx.commit();
  }
  EXPECT_ERROR(run({kOne}), Code::corrupt, "not a conceptd registry");
}

TEST_F(Migrate, TheEmbeddedOnesAreTheFilesInTheTree) {
  namespace fs = std::filesystem;
  std::vector<std::string> files, embedded;
  for (const auto& entry : fs::directory_iterator(fs::path(CONCEPTD_SOURCE_DIR) / "migrations"))
    if (entry.path().extension() == ".sql") files.push_back(entry.path().stem());
  std::sort(files.begin(), files.end());
  for (const Migration& migration : embedded_migrations()) {
    embedded.emplace_back(migration.name);
    EXPECT_EQ(Digest::of(migration.sql).hex(), migration.digest);
    const fs::path file = fs::path(CONCEPTD_SOURCE_DIR) / "migrations" / (std::string(migration.name) + ".sql");
    EXPECT_EQ(Digest::of_file(file).hex(), migration.digest);
  }
  EXPECT_EQ(embedded, files) << "in order, and all of them";
}

}  // namespace
}  // namespace conceptd::registry
