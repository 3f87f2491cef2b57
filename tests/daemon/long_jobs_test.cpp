// Goal: long work loses little to a crash, nothing to a full disk, and stands still when somebody says so. Method: the
// real runner and worker process, a learner that pretends.
#include <atomic>

#include "core/file_io.h"
#include "tests/daemon/daemon_fixture.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CONCEPTD_SANITIZED 1
#endif

namespace conceptd::daemon::test {
namespace {

class LongJobs : public DaemonTest {
 protected:
  int steps(std::int64_t id) { return job(id).progress.step; }
  void switch_learning(const std::string& how, const Json& body = Json::object()) {
    client().post("learning/" + how, body);
  }
  // Longer than a worker needs to notice, shorter than anybody's patience.
  void expect_standing_still(std::int64_t id) {
    std::this_thread::sleep_for(400ms);
    const int before = steps(id);
    std::this_thread::sleep_for(400ms);
    EXPECT_EQ(steps(id), before);
  }
};

TEST_F(LongJobs, GoOnFromTheLastCheckpoint) {
  start();
  const api::JobInfo job = wait_for(add("step-and-die", "other"));
  ASSERT_EQ(job.state, "done") << job.error_message;
  EXPECT_EQ(job.attempts, 1) << "five deaths, and it got further each time";
  EXPECT_EQ(show("step-and-die").live->metrics.at("began_after"), 5);
}

TEST_F(LongJobs, WhoseNumbersStopBeingNumbersAreNotTriedAgain) {
  start();
  const api::JobInfo job = wait_for(add("diverge", "other"));
  EXPECT_EQ(job.state, "failed");
  EXPECT_EQ(job.attempts, 1);
  EXPECT_THAT(job.error_message, HasSubstr("not a number at step 1"));
}

TEST_F(LongJobs, MayUseSoMuchMemoryAndNoMore) {
#ifdef CONCEPTD_SANITIZED
  GTEST_SKIP() << "a sanitizer's own memory is beyond every limit";
#endif
  config_.learn_memory_mb = 256;
  config_.attempts_max = 1;
  start();
  const api::JobInfo job = wait_for(add("greedy", "other"));
  EXPECT_EQ(job.state, "failed");
  EXPECT_THAT(job.error_message, HasSubstr("learn.memory_mb"));
  add_and_learn("kettle-7");
}

TEST_F(LongJobs, WaitWhileLearningIsPaused) {
  start();
  const std::int64_t running = add("slow", "other");
  wait_until(running, [](const api::JobInfo& info) { return info.progress.step >= 2; });
  switch_learning("pause", {{"reason", "a demonstration"}});
  expect_standing_still(running);
  ASSERT_TRUE(status().paused);
  EXPECT_EQ(status().paused->reason, "a demonstration");
  generate("a kettle");
  switch_learning("resume");
  const int before = steps(running);
  wait_until(running, [&](const api::JobInfo& info) { return info.progress.step > before + 2; });
  EXPECT_FALSE(status().paused);
  EXPECT_EQ(job(running).attempts, 1);
}

TEST_F(LongJobs, StayPausedOverARestartAndBeginWhenItIsOver) {
  start();
  switch_learning("pause");
  stop();
  start();
  const std::int64_t id = add("kettle-7");
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(job(id).state, "queued");
  switch_learning("pause", {{"for_s", 1}});  // in place of the one before
  EXPECT_EQ(wait_for(id).state, "done");
  EXPECT_FALSE(status().paused);
}

TEST_F(LongJobs, CanBeCancelledWhilePaused) {
  start();
  const std::int64_t id = add("slow", "other");
  wait_until(id, [](const api::JobInfo& info) { return info.progress.step >= 1; });
  switch_learning("pause");
  client().post("jobs/" + std::to_string(id) + "/cancel", Json::object());
  EXPECT_EQ(job(id).state, "cancelled");
  switch_learning("resume");
  add_and_learn("kettle-7");
}

TEST_F(LongJobs, APauseHasAnEndThatMakesSense) {
  start();
  EXPECT_EQ(refused("learning/pause", {{"for_s", 0}}).second.field, "for_s");
  EXPECT_EQ(refused("learning/pause", {{"for_s", "long"}}).second.field, "for_s");
  EXPECT_EQ(refused("learning/faster", Json::object()).first, 404);
  EXPECT_FALSE(status().paused);
}

TEST_F(LongJobs, AreNotStarvedByPictures) {
  before_step_ = [](int) { std::this_thread::sleep_for(20ms); };
  start();
  std::atomic<bool> enough = false;
  std::vector<std::thread> people;
  for (int k = 0; k < 3; ++k)
    people.emplace_back([&] {
      while (!enough) generate("a kettle");
    });
  const api::JobInfo job = wait_for(add("steady", "other"));
  enough = true;
  for (std::thread& person : people) person.join();
  EXPECT_EQ(job.state, "done") << job.error_message;
}

// A disk without room: whatever would become durable fails, as the file room says it.
class FullDisk : public LongJobs {
 protected:
  FullDisk() {
    set_durable_step_hook([this](const DurableStep&) {
      if (full_) throw Error(Code::unavailable, "no space is left on the device");
    });
  }
  ~FullDisk() override {
    full_ = false;
    stop();
    set_durable_step_hook({});
  }
  std::atomic<bool> full_ = false;
};

TEST_F(FullDisk, IsWaitedOutByAJobThatRuns) {
  start();
  add_and_learn("kettle-7");
  const std::int64_t id = add("steady", "other");
  wait_until(id, [](const api::JobInfo& info) { return info.progress.step >= 2; });
  full_ = true;
  std::this_thread::sleep_for(2500ms);  // past a heartbeat, and past the job's own end
  EXPECT_EQ(generate("a <kettle-7>").concepts[0].version, 1) << "serving goes on";
  EXPECT_EQ(refused("concepts/kettle-7/learn", Json::object()).second.code, "unavailable");
  EXPECT_EQ(job(id).state, "running");
  full_ = false;
  const api::JobInfo job = wait_for(id);
  EXPECT_EQ(job.state, "done") << job.error_message;
  EXPECT_EQ(job.attempts, 1);
  EXPECT_EQ(generate("a <steady>").concepts[0].version, 1) << "and nothing had to be started again";
}

}  // namespace
}  // namespace conceptd::daemon::test
