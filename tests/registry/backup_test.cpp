// Goal: a backup is whole before it has its name, a restored registry is the one that was backed up, and neither ever
// takes the place of anything.
#include <algorithm>
#include <atomic>
#include <thread>

#include "core/file_io.h"
#include "registry/restore.h"
#include "tests/registry/registry_fixture.h"

namespace conceptd::registry::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

class Backups : public RegistryTest {
 protected:
  void TearDown() override {
    set_durable_step_hook({});
    RegistryTest::TearDown();
  }
  BackupReport back_up(const std::string& name = "one") { return registry().back_up(folder_ / name, "alice"); }
  Restored restore(const std::string& to = "restored") {
    return restore_backup(folder_ / "one", folder_ / to, clock_, "alice");
  }
  std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
};

TEST_F(Backups, AreRestoredToTheSameRegistry) {
  add_and_learn("a", std::string(300'000, 'a'));
  relearn("a", "a-2");
  add_and_learn("b", "b-1");
  registry().roll_back(name_of("a"), 1, "t", "");
  registry().set_alias(name_of("a"), "print", 2, "t");
  const BackupReport report = back_up();
  EXPECT_EQ(report.head, 4);
  EXPECT_EQ(report.versions, 3);
  EXPECT_EQ(report.photos, 4);
  EXPECT_THAT(report.missing, IsEmpty());
  EXPECT_EQ(report.database, Digest::of_file(folder_ / "one/registry.db"));
  EXPECT_THAT(names_in(folder_ / "one"), ElementsAre("backup.json", "photos", "registry.db"));
  relearn("b", "b-2");

  const Restored restored = restore();
  EXPECT_EQ(restored.head, 4);
  EXPECT_EQ(restored.photos, 4);
  const auto copy = Registry::open(folder_ / "restored", clock_);
  EXPECT_THAT(copy->verify(), IsEmpty());
  EXPECT_EQ(copy->head()->entries, registry().state(4)->entries);
  EXPECT_EQ(copy->show(name_of("a")).pin->version, 1);
  EXPECT_EQ(copy->resolve(name_of("a"), "print"), 2);
  EXPECT_EQ(copy->photo(Digest::of("picture 0 of a")), "picture 0 of a");
  EXPECT_EQ(copy->audit({}, 1).at(0).action, "restore");
  EXPECT_EQ(registry().audit("state 4", 1).at(0).action, "backup");
  EXPECT_EQ(copy->verify_audit_chain(), std::nullopt);
}

TEST_F(Backups, TakeNothingsPlace) {
  add_and_learn("a", "a-1");
  back_up();
  EXPECT_ERROR(back_up(), Code::conflict, "is there already");
  EXPECT_ERROR(restore_backup(folder_ / "one", folder_ / "data", clock_, "t"), Code::busy, "another conceptd");
  fs::create_directories(folder_ / "mine");
  plant(folder_ / "mine/letter", "dear");
  EXPECT_ERROR(restore("mine"), Code::conflict, "holds something already");
  EXPECT_THAT(names_in(folder_ / "mine"), ElementsAre("letter"));
  restore();
  EXPECT_ERROR(restore(), Code::conflict, "holds something already");
  fs::create_directories(folder_ / "empty");
  EXPECT_EQ(restore("empty").head, 1);
}

TEST_F(Backups, PhotosAreHardLinksWhereThatCanBe) {
  const Digest digest = add("a").record.photos[0].digest;
  back_up();
  EXPECT_EQ(fs::hard_link_count(registry().photo_path(digest)), 2u);
}

TEST_F(Backups, SayWhichPhotosAreMissingAndAreStillBackups) {
  const Digest digest = add("a").record.photos[0].digest;
  plant(registry().photo_path(digest), "rot");
  EXPECT_THAT(back_up().missing, ElementsAre(digest.hex()));
  EXPECT_THAT(restore().missing, ElementsAre(digest.hex()));
  plant(registry().photo_path(digest), "picture 0 of a");
}

TEST_F(Backups, ADamagedOneIsRefusedAndLeavesNothing) {
  add_and_learn("a", "a-1");
  back_up();
  const auto damage = [&](const fs::path& file, std::size_t at) {
    std::string bytes = contents(folder_ / "one" / file);
    bytes[at] ^= 1;
    plant(folder_ / "one" / file, bytes);
  };
  damage("registry.db", 5000);
  EXPECT_ERROR(restore(), Code::corrupt, "not those of backup.json");
  damage("registry.db", 5000);
  plant(folder_ / "one/backup.json", "{\"format\": 9}");
  EXPECT_ERROR(restore(), Code::conflict, "newer conceptd");
  plant(folder_ / "one/backup.json", "{\"format\": 1, \"head\": \"x\"}");
  EXPECT_ERROR(restore(), Code::invalid, "backup.json");
  write_backup_note(folder_ / "one", {.head = 7, .database = Digest::of_file(folder_ / "one/registry.db")});
  EXPECT_ERROR(restore(), Code::corrupt, "publishes state 7");
  EXPECT_ERROR(restore_backup(folder_ / "nowhere", folder_ / "restored", clock_, "t"), Code::invalid, "not a backup");
  EXPECT_THAT(names_in(folder_.path()), ElementsAre("data", "one"));
}

TEST_F(Backups, OnesThatFailLeaveNothingAndTheNextOneWorks) {
  add_and_learn("a", "a-1");
  for (const char* kind : {"write", "fsync", "rename", "link", "mkdir", "fsync-dir"}) {
    set_durable_step_hook([&](const DurableStep& step) {
      if (step.kind == kind) throw Error(Code::unavailable, "disk full");
    });
    EXPECT_ERROR(back_up(), Code::unavailable, "disk full");
    EXPECT_THAT(names_in(folder_.path()), ElementsAre("data")) << kind;
  }
  set_durable_step_hook({});
  back_up();
  EXPECT_EQ(restore().head, 1);
}

TEST_F(Backups, OneThatCannotBeNotedHasNoNameNotEvenInPart) {
  add_and_learn("a", "a-1");
  std::string seen;  // what stood under the name while the failed one was taken away
  set_durable_step_hook([&](const DurableStep& step) {
    if (step.kind == "commit") throw Error(Code::unavailable, "disk full");
    if (step.kind == "unlink" && fs::exists(folder_ / "one")) seen = step.path;
  });
  EXPECT_ERROR(back_up(), Code::unavailable, "disk full");
  set_durable_step_hook({});
  EXPECT_EQ(seen, "") << "it lost its name before its first file";
  EXPECT_THAT(names_in(folder_.path()), ElementsAre("data"));
}

TEST_F(Backups, ARestoreThatFailsLeavesAloneWhoHasMovedIn) {
  add_and_learn("a", "a-1");
  back_up();
  set_durable_step_hook([&](const DurableStep& step) {
    if (step.kind == "rename" && step.path == folder_ / "restored") {
      fs::create_directories(folder_ / "restored");
      plant(folder_ / "restored/registry.db", "a daemon's that was started meanwhile");
    }
  });
  EXPECT_THROW(restore(), Error);
  set_durable_step_hook({});
  EXPECT_THAT(names_in(folder_ / "restored"), ElementsAre("registry.db"));
  EXPECT_THAT(names_in(folder_.path()), ElementsAre("data", "one", "restored"));
}

TEST_F(Backups, ADamagedDeltaMakesNoBackup) {
  add_and_learn("a", "a-1");
  registry_.reset();
  std::string bytes = contents(folder_ / "data/registry.db");
  const std::size_t at = bytes.find("a-1");
  ASSERT_NE(at, std::string::npos);
  for (std::size_t i = at; i != std::string::npos; i = bytes.find("a-1", i + 1)) bytes[i + 2] = '9';
  plant(folder_ / "data/registry.db", bytes);
  registry_ = Registry::open(folder_ / "data", clock_);
  EXPECT_ERROR(back_up(), Code::corrupt, "would be no backup");
  EXPECT_FALSE(fs::exists(folder_ / "one"));
  registry_.reset();
}

TEST_F(Backups, OthersPublishMeanwhileAndTheCopyIsOneStateOfThem) {
  add_and_learn("a", std::string(3 << 20, 'a'));  // several steps of the copy
  std::atomic<bool> stop{false};
  std::jthread publisher([&] {
    for (int i = 0; !stop; ++i) relearn("a", "a " + std::to_string(i));
  });
  for (int i = 0; i < 4; ++i) back_up("copy" + std::to_string(i));
  stop = true;
  publisher.join();
  for (int i = 0; i < 4; ++i) {
    const std::string name = "copy" + std::to_string(i);
    const Restored restored = restore_backup(folder_ / name, folder_ / (name + ".restored"), clock_, "t");
    const auto copy = Registry::open(folder_ / (name + ".restored"), clock_);
    EXPECT_EQ(copy->head()->entries, registry().state(restored.head)->entries);
  }
}

TEST_F(Backups, AnUnfinishedOneIsSweptAtTheNextStart) {
  fs::create_directories(folder_ / "data/backups/night.tmp/photos");
  plant(folder_ / "data/backups/night.tmp/registry.db", "half");
  fs::create_directories(folder_ / "data/backups/kept");
  reopen();
  EXPECT_THAT(names_in(folder_ / "data/backups"), ElementsAre("kept"));
}

}  // namespace
}  // namespace conceptd::registry::test
