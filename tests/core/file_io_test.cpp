// Goal: what write_file_durably promises. Method: count its steps through the hook, then make it fail, and make it die,
// at each one, and look at what is there.
#include "core/file_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/support/expect_error.h"
#include "tests/support/temp_folder.h"

namespace conceptd {
namespace {

namespace fs = std::filesystem;

class FileIo : public testing::Test {
 protected:
  void TearDown() override { set_durable_step_hook({}); }
  std::vector<fs::path> names() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder_.path())) found.push_back(entry.path().filename());
    return found;
  }
  test::TempFolder folder_;
};

TEST_F(FileIo, WritesSyncsRenamesAndSyncsTheFolderInThatOrder) {
  std::vector<std::string> kinds;
  set_durable_step_hook([&](const DurableStep& step) { kinds.emplace_back(step.kind); });
  write_file_durably(folder_ / "a", "bytes");
  EXPECT_EQ(kinds, (std::vector<std::string>{"write", "fsync", "rename", "fsync-dir"}));
  EXPECT_EQ(test::contents(folder_ / "a"), "bytes");
}

TEST_F(FileIo, StoredFilesAreForTheOwnerOnly) {
  write_file_durably(folder_ / "a", "bytes");
  make_folder(folder_ / "b/c");
  struct stat info {};
  ASSERT_EQ(::stat((folder_ / "a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat((folder_ / "b/c").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(FileIo, AFailureAtAnyStepLeavesTheOldBytesOrTheNewAndNoLitter) {
  for (int fatal = 1; fatal <= 4; ++fatal) {
    write_file_durably(folder_ / "a", "old");
    int step = 0;
    set_durable_step_hook([&](const DurableStep&) {
      if (++step == fatal) throw Error(Code::unavailable, "disk full");
    });
    EXPECT_ERROR(write_file_durably(folder_ / "a", "new"), Code::unavailable, "disk full");
    set_durable_step_hook({});
    EXPECT_EQ(test::contents(folder_ / "a"), fatal <= 3 ? "old" : "new");
    EXPECT_EQ(names(), std::vector<fs::path>{"a"});
  }
}

TEST_F(FileIo, ADeathAtAnyStepLeavesTheOldBytesOrTheNew) {
  for (int fatal = 1; fatal <= 4; ++fatal) {
    write_file_durably(folder_ / "a", "old");
    const pid_t child = ::fork();
    if (child == 0) {
      int step = 0;
      set_durable_step_hook([&](const DurableStep&) {
        if (++step == fatal) ::_exit(42);
      });
      write_file_durably(folder_ / "a", "new");
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 42);
    EXPECT_EQ(test::contents(folder_ / "a"), fatal <= 3 ? "old" : "new");
  }
}

TEST_F(FileIo, ReadsUpToTheLimitAndNoFurther) {
  test::plant(folder_ / "a", std::string(100'000, 'x'));
  EXPECT_EQ(read_file(folder_ / "a", 100'000).size(), 100'000u);
  EXPECT_ERROR(read_file(folder_ / "a", 99'999), Code::exhausted, "99999");
  EXPECT_ERROR(read_file(folder_ / "none", 10), Code::not_found, "none");
  EXPECT_ERROR(read_file(folder_.path(), 10), Code::invalid, "regular file");
}

TEST_F(FileIo, RemovesAndSaysWhetherThereWasAnything) {
  test::plant(folder_ / "a", "x");
  EXPECT_TRUE(remove_file(folder_ / "a"));
  EXPECT_FALSE(remove_file(folder_ / "a"));
}

TEST_F(FileIo, MakesFoldersOnceAndRefusesAFileInTheWay) {
  make_folder(folder_ / "x/y/z");
  make_folder(folder_ / "x/y/z");
  EXPECT_TRUE(fs::is_directory(folder_ / "x/y/z"));
  test::plant(folder_ / "file", "x");
  EXPECT_ERROR(make_folder(folder_ / "file/below"), Code::unavailable, "file");
}

// Else the next try would find it, take it for durable, and lose it with the power.
TEST_F(FileIo, AFolderWhoseNameCannotBeSyncedIsMadeAgain) {
  bool fails = true;
  std::vector<std::string> steps;
  set_durable_step_hook([&](const DurableStep& step) {
    steps.emplace_back(step.kind);
    if (step.kind == "fsync-dir" && std::exchange(fails, false)) throw Error(Code::unavailable, "input/output error");
  });
  EXPECT_ERROR(make_folder(folder_ / "x"), Code::unavailable, "input/output");
  EXPECT_FALSE(fs::exists(folder_ / "x"));
  make_folder(folder_ / "x");
  EXPECT_EQ(steps, (std::vector<std::string>{"mkdir", "fsync-dir", "mkdir", "fsync-dir"}));
}

TEST_F(FileIo, WhatCannotBeWrittenSaysWhereAndWhy) {
  EXPECT_ERROR(write_file_durably(folder_ / "none/a", "x"), Code::not_found, "none/a");
}

TEST_F(FileIo, OneHolderOfALockAtATime) {
  {
    const FileLock held(folder_ / "lock");
    EXPECT_ERROR(FileLock(folder_ / "lock"), Code::busy, "process " + std::to_string(::getpid()));
  }
  const FileLock again(folder_ / "lock");
}

TEST_F(FileIo, TheKernelLetsGoOfADeadHoldersLock) {
  const pid_t child = ::fork();
  if (child == 0) {
    new FileLock(folder_ / "lock");
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  const FileLock mine(folder_ / "lock");
}

}  // namespace
}  // namespace conceptd
