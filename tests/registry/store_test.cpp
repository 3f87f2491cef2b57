// Goal: what can be wrong with the place a registry lies in is found at the start or named when it is met, and nothing
// that was stored is made worse by it.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "core/file_io.h"
#include "registry/disk.h"
#include "registry/sqlite.h"
#include "tests/registry/registry_fixture.h"
#include "tests/support/database_holder.h"

namespace conceptd::registry::test {
namespace {

namespace fs = std::filesystem;
using testing::IsEmpty;
using testing::Not;

class Store : public RegistryTest {
 protected:
  void TearDown() override {
    set_filesystem_probe({});
    RegistryTest::TearDown();
  }
  fs::path file() const { return folder_ / "data/registry.db"; }
};

TEST_F(Store, EveryTableIsStrict) {
  registry_.reset();
  Database database(file());
  Transaction tx(database, Transaction::Kind::read, "looking");
  EXPECT_GT(tx.value("SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND strict"), 12);
  EXPECT_EQ(tx.value("SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND NOT strict AND name NOT LIKE "
                     "'sqlite_%'"),
            0);
}

TEST_F(Store, ANetworkDiskIsRefusedAtTheStart) {
  const std::vector<std::pair<std::int64_t, std::string>> networks{
      {0x6969, "NFS"}, {0xff534d42, "CIFS"}, {0xfe534d42, "SMB2"}};
  for (const auto& [type, name] : networks) {
    set_filesystem_probe([kind = type](const fs::path&) { return kind; });
    const fs::path folder = folder_ / ("on-" + name);
    EXPECT_ERROR(Registry::open(folder, clock_), Code::unavailable, "(" + name + ")");
    EXPECT_ERROR(Registry::open(folder, clock_), Code::unavailable, "--data-dir");
    EXPECT_FALSE(fs::exists(folder / "registry.db"));
  }
  set_filesystem_probe({});
  EXPECT_NO_THROW(Registry::open(folder_ / "here", clock_));
}

// A process may have died between making one of them and its sync.
TEST_F(Store, FoldersThatAreThereAreSyncedAtTheStart) {
  add("kettle-7");
  registry_.reset();
  std::set<fs::path> synced;
  set_durable_step_hook([&](const DurableStep& step) {
    if (step.kind == "fsync-dir") synced.insert(step.path);
  });
  Registry::open(folder_ / "data", clock_);
  set_durable_step_hook({});
  for (const fs::path& folder : {folder_.path(), folder_ / "data", folder_ / "data/photos"})
    EXPECT_TRUE(synced.contains(folder)) << folder;
}

// As a user who is not root, for whom permissions hold.
TEST_F(Store, AFolderThatCannotBeWrittenIsNamed) {
  fs::permissions(folder_.path(), fs::perms(0755));
  fs::create_directories(folder_ / "sealed");
  fs::permissions(folder_ / "sealed", fs::perms(0555));
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(2);
    try {
      Registry::open(folder_ / "sealed", clock_);
    } catch (const Error& error) {
      const bool named = std::string(error.what()).find("sealed") != std::string::npos;
      ::_exit(error.code() == Code::unavailable && named ? 0 : 3);
    }
    ::_exit(4);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(Store, ItIsWritableWhileItWrites) {
  int commits = 0;
  set_durable_step_hook([&](const DurableStep& step) {
    if (step.kind != "commit") return;
    ++commits;
    EXPECT_TRUE(registry().is_writable()) << "nothing has failed";
  });
  add("kettle-7");
  set_durable_step_hook({});
  EXPECT_GT(commits, 0);
}

TEST_F(Store, ALinkMayLeadToIt) {
  add_and_learn("a", "a-1");
  registry_.reset();
  std::filesystem::create_symlink(folder_ / "data", folder_ / "link");
  registry_ = Registry::open(folder_ / "link", clock_);
  EXPECT_EQ(live("a"), 1);
}

TEST_F(Store, AClockThatGoesBackTenYearsLosesNothing) {
  add_and_learn("a", "a-1");
  registry().jobs().enqueue({.name = "a", .requested_by = "t"});
  const Job job = *registry().jobs().lease_next("w", 60);
  clock_.advance(-24h * 3653);
  EXPECT_EQ(registry().jobs().requeue_expired(false), 0);
  reopen();
  EXPECT_EQ(registry().jobs().requeue_expired(true), 1) << "a start takes every lease back, whatever the clock says";
  EXPECT_ERROR(registry().jobs().complete(job.id, job.fence), Code::conflict, "queued");
  EXPECT_EQ(learn_once(registry(), "a", "a-2").state->id, 2);
  EXPECT_EQ(registry().roll_back(name_of("a"), std::nullopt, "t", "")->id, 3);
  EXPECT_THAT(registry().gc({.keep_states = 1, .older_than = 1h}, "t").versions, IsEmpty());
  EXPECT_EQ(registry().verify_audit_chain(), std::nullopt) << "its order is that of its rows, not of their times";
}

TEST_F(Store, ADamagedPageIsCorruptAndNeverAnAnswer) {
  add_and_learn("a", std::string(200'000, 'a'));
  registry_.reset();
  std::string bytes = contents(file());
  std::size_t pages = 0;
  for (std::size_t page = 4096; page + 4096 <= bytes.size(); page += 5 * 4096, ++pages) {
    std::string damaged = bytes;
    for (std::size_t i = page; i < page + 64; ++i) damaged[i] = static_cast<char>(damaged[i] ^ 0x5a);
    plant(file(), damaged);
    SCOPED_TRACE("page " + std::to_string(page / 4096));
    try {
      const auto registry = Registry::open(folder_ / "data", clock_);
      try {
        const Version version = registry->version(name_of("a"), 1);
        EXPECT_EQ(registry->delta(version.delta), std::string(200'000, 'a'));
      } catch (const Error& error) {
        EXPECT_THAT((std::vector{Code::corrupt, Code::not_found}), testing::Contains(error.code())) << error.what();
      }
      std::vector<std::string> faults;
      try {
        faults = registry->verify();
      } catch (const Error& error) {
        faults.emplace_back(error.what());
      }
      EXPECT_THAT(faults, Not(IsEmpty()));
      EXPECT_ERROR(registry->gc({.keep_states = 1, .older_than = 0ms}, "t"), Code::corrupt, "");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::corrupt) << error.what();
    }
  }
  EXPECT_GT(pages, 5u);
  plant(file(), bytes);
  registry_ = Registry::open(folder_ / "data", clock_);
}

// A process that dies leaves its last commits in the -wal. Whoever deletes that file loses them, and nothing else.
TEST_F(Store, WithoutItsWalItIsWholeAndOlder) {
  add_and_learn("a", "a-1");
  reopen();  // a clean close moves everything into the database itself
  registry_.reset();
  const pid_t child = ::fork();
  if (child == 0) {
    auto registry = Registry::open(folder_ / "data", clock_);
    registry->add_concept(request_for("b"));
    learn_once(*registry, "b", "b-1");
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(fs::exists(file().string() + "-wal"));
  fs::copy(folder_ / "data", folder_ / "whole", fs::copy_options::recursive);
  EXPECT_EQ(Registry::open(folder_ / "whole", clock_)->head()->id, 2);
  fs::remove(file().string() + "-wal");
  fs::remove(file().string() + "-shm");
  registry_ = Registry::open(folder_ / "data", clock_);
  EXPECT_EQ(registry().head()->id, 1);
  EXPECT_THAT(registry().verify(), IsEmpty());
  EXPECT_EQ(registry().gc({.keep_states = 1}, "t").stray_files, 2) << "photos that the lost rows named";
}

TEST_F(Store, AFullDiskRefusesAndWorksAgainWithoutARestart) {
  add_and_learn("a", "a-1");
  relearn("a", "a-2");
  const auto each = [&](auto&& use) {
    use([&] { registry().roll_back(name_of("a"), 1, "t", "", Pinning::leave_free); });
    use([&] { registry().pin(name_of("a"), std::nullopt, "t", ""); });
    use([&] { registry().set_alias(name_of("a"), "x", 1, "t"); });
    use([&] { registry().back_up(folder_ / "backup", "t"); });
    use([&] { registry().remove(name_of("a"), "t", ""); });
    use([&] { registry().undelete(name_of("a"), "t", ""); });
  };
  each([&](const auto& operation) {
    const auto head = registry().head()->id;
    const auto rows = registry().audit({}, 1).at(0).id;
    set_durable_step_hook([](const DurableStep&) { throw Error(Code::unavailable, "no space left on device"); });
    EXPECT_ERROR(operation(), Code::unavailable, "no space");
    set_durable_step_hook({});
    EXPECT_EQ(registry().head()->id, head);
    EXPECT_EQ(registry().audit({}, 1).at(0).id, rows);
    operation();
    EXPECT_GT(registry().audit({}, 1).at(0).id, rows);
  });
}

// Longer than SQLite waits.
TEST_F(Store, AnotherProgramThatWritesIsAnErrorThatSaysSoAndChangesNothing) {
  add_and_learn("a", "a-1");
  registry_.reset();
  DatabaseHolder holder(file());
  reopen();
  holder.hold();
  const auto rows = registry().audit({}, 1).at(0).id;
  EXPECT_ERROR(add("b"), Code::busy, "database is locked");
  EXPECT_ERROR(relearn("a", "a-2"), Code::busy, "another program is writing to it; end that one");
  EXPECT_EQ(registry().audit({}, 1).at(0).id, rows);
  EXPECT_EQ(registry().names(), std::vector<std::string>{"a"});
  EXPECT_EQ(registry().delta(registry().version(name_of("a"), 1).delta), "a-1") << "reading goes on";
  holder.let_go();
  EXPECT_EQ(add_and_learn("b", "b-1").state->id, 2);
}

}  // namespace
}  // namespace conceptd::registry::test
