// Goal: what is wrong with a file that the user named is found before anything is sent or waited for, and is said of
// the file, not of the daemon.
#include <unistd.h>

#include "daemon/api/limits.h"
#include "tests/cli/commands_fixture.h"

namespace conceptd::cli {
namespace {

class UserFiles : public Commands {
 protected:
  Ran add(const std::string& photo) { return run({"add", "kettle-7", photo, "--class", "kettle"}); }
};

TEST_F(UserFiles, APhotoThatCannotBeReadIsInvalid) {
  const Ran read = add("/proc/self/mem");
  EXPECT_EQ(read.status, 7) << read.err;
  EXPECT_THAT(read.err, HasSubstr("/proc/self/mem"));
  test::plant(folder_ / "\xff.png", "x");
  const Ran named = add(folder_.path().string());
  EXPECT_EQ(named.status, 7);
  EXPECT_THAT(named.err, HasSubstr("/?.png: its name is not UTF-8"));
}

TEST_F(UserFiles, AFolderThatCannotBeReadIsInvalid) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read every folder";
  const std::filesystem::path shut = folder_ / "shut";
  std::filesystem::create_directory(shut);
  std::filesystem::permissions(shut, std::filesystem::perms::none);
  const Ran ran = add(shut.string());
  EXPECT_EQ(ran.status, 7);
  EXPECT_THAT(ran.err, HasSubstr("cannot look into the folder"));
}

TEST_F(UserFiles, PhotosMustTogetherFitIntoOneRequest) {
  const std::string photo = test::contents(plant_photo("small.png")) + std::string(15u << 20, '\0');
  std::filesystem::create_directory(folder_ / "large");
  for (int i = 0; i < 5; ++i) test::plant(folder_ / "large" / (std::to_string(i) + ".png"), photo);
  const Ran ran = add((folder_ / "large").string());
  EXPECT_EQ(ran.status, 10);
  EXPECT_THAT(ran.err, HasSubstr("together 75.0 MB"));
  EXPECT_THAT(ran.err, HasSubstr("choose fewer or smaller ones"));
  EXPECT_TRUE(asked_.empty()) << "nothing was sent";
}

TEST_F(UserFiles, APictureThatCouldNotBeWrittenIsNotAskedFor) {
  test::plant(folder_ / "file", "x");
  for (const std::string& place : {std::string("/proc/nope/x.png"), (folder_ / "file/x.png").string()}) {
    const Ran ran = run({"generate", "a kettle", "-o", place});
    EXPECT_EQ(ran.status, 7) << ran.err;
    EXPECT_THAT(ran.err, HasSubstr("cannot make the folder"));
  }
  if (::geteuid() != 0) {
    EXPECT_EQ(run({"generate", "a kettle", "-o", "/proc/version"}).status, 7);
  }
  EXPECT_FALSE(asked_.contains("POST /api/v1/generate"));
}

TEST_F(UserFiles, ThePreviewIsKeptUpToDate) {
  api::JobInfo running = job("running"), done = job("done");
  running.has_preview = done.has_preview = true;
  const auto answer_with = [&](const api::JobInfo& info, const std::string& png) {
    const std::lock_guard lock(mutex_);
    answers_["GET /api/v1/jobs/7"] = {.body = api::encode(api::JobAnswer{info}).dump()};
    answers_["GET /api/v1/jobs/7/preview.png"] = {.content_type = "image/png", .body = png};
  };
  const std::filesystem::path file = folder_ / "new/now.png";
  answer_with(running, "first");
  std::string seen;
  std::thread ends([&] {
    for (int i = 0; i < 500 && seen != "first"; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      seen = test::contents(file);
    }
    answer_with(done, "last");
  });
  const Ran ran = run({"watch", "7", "--preview", file.string()});
  ends.join();
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(seen, "first") << "while it ran";
  EXPECT_EQ(test::contents(file), "last");
  EXPECT_THAT(ran.err, HasSubstr("The newest preview is in " + file.string()));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "new/now.png.part"));
  EXPECT_EQ(run({"watch", "7", "--preview", "/proc/nope/x.png"}).status, 7);
  EXPECT_EQ(run({"watch", "7", "--preview", folder_.path().string()}).status, 7);
}

}  // namespace
}  // namespace conceptd::cli
