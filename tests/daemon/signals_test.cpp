// Goal: rows 36 and 38 of the catalogue of bad input: what happens to a daemon whose base is replaced under it, that is
// told to end many times, to reload while it learns, that loses its clients, or has few descriptors. The daemon is a
// process of its own here, with the fake model and worker, and gets real signals.
#include "daemon/signals.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>

#include "tests/daemon/daemon_fixture.h"
#include "tests/daemon/raw_connection.h"

namespace conceptd::daemon::test {
namespace {

class Signals : public DaemonTest {
 protected:
  ~Signals() override {
    if (child_ > 0) ::kill(child_, SIGKILL), ::waitpid(child_, nullptr, 0);
  }
  // While this process has no other thread.
  void start_process(rlim_t descriptors_max = 0) {
    child_ = ::fork();
    if (child_ == 0) {
      if (descriptors_max > 0) {
        const rlimit few{.rlim_cur = descriptors_max, .rlim_max = descriptors_max};
        ::setrlimit(RLIMIT_NOFILE, &few);
      }
      try {
        catch_signals();
        Daemon daemon(config_, clock_, parts());
        daemon.start();
        wait_for_the_end(daemon);
        daemon.stop();
      } catch (const std::exception& error) {
        std::fprintf(stderr, "the daemon: %s\n", error.what());
        ::_exit(99);
      }
      ::_exit(0);
    }
    for (int i = 0; i < 1000 && !answers(); ++i) std::this_thread::sleep_for(20ms);
    ASSERT_TRUE(answers());
  }
  bool answers() {
    try {
      return client().exchange("GET", "/healthz", {}, 5s).status == 200;
    } catch (const Error&) {
      return false;
    }
  }
  int wait_for_end() {
    int status = 0;
    ::waitpid(child_, &status, 0);
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  pid_t child_ = -1;
};

TEST_F(Signals, Row38AStormOfSigtermLosesNothingThatWasAcknowledged) {
  start_process();
  add_and_learn("kettle-7");
  const std::int64_t running = add("slow", "other");
  wait_until(running, [](const api::JobInfo& info) { return info.progress.step > 2; });
  for (int i = 0; i < 1000; ++i) ::kill(child_, i % 3 == 0 ? SIGINT : SIGTERM);
  EXPECT_THAT(wait_for_end(), testing::AnyOf(0, 128 + SIGTERM, 128 + SIGINT));
  start();
  EXPECT_EQ(show("kettle-7").summary.status, "live");
  EXPECT_THAT(wait_until(running, [](const api::JobInfo& info) { return info.state == "running"; }).attempts,
              testing::Le(2));
  EXPECT_THAT(client().post("verify", {{"deep", true}})["faults"], testing::IsEmpty());
  client().post("jobs/" + std::to_string(running) + "/cancel", Json::object());
}

TEST_F(Signals, Row38OneSigtermEndsItInOrder) {
  start_process();
  add("slow", "other");
  ::kill(child_, SIGTERM);
  EXPECT_EQ(wait_for_end(), 0);
  EXPECT_FALSE(std::filesystem::exists(config_.socket));
}

TEST_F(Signals, Row38SighupDuringLearningChangesNothing) {
  start_process();
  const std::int64_t id = add("steady", "other");
  wait_until(id, [](const api::JobInfo& info) { return info.progress.step > 2; });
  for (int i = 0; i < 1000; ++i) ::kill(child_, SIGHUP);
  const api::JobInfo done = wait_for(id);
  EXPECT_EQ(done.state, "done");
  EXPECT_EQ(done.attempts, 1);
  ::kill(child_, SIGTERM);
  EXPECT_EQ(wait_for_end(), 0);
}

TEST_F(Signals, Row38ClientsThatLeaveAreNoSigpipe) {
  start_process();
  ::kill(child_, SIGPIPE);
  for (int i = 0; i < 50; ++i) {
    RawConnection leaving(config_.socket);
    leaving.send("GET /api/v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
    leaving.hang_up();
  }
  EXPECT_TRUE(answers());
  ::kill(child_, SIGTERM);
  EXPECT_EQ(wait_for_end(), 0);
}

TEST_F(Signals, Row38SixtyFourDescriptorsAreEnoughToLiveAndToEnd) {
  start_process(64);
  add_and_learn("kettle-7");
  {
    std::vector<RawConnection> many;
    for (int i = 0; i < 100; ++i) many.emplace_back(config_.socket);
    std::this_thread::sleep_for(300ms);
  }
  for (int i = 0; i < 500 && !answers(); ++i) std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(answers()) << "who waited while there was no descriptor is served when there is one";
  EXPECT_EQ(learn_again("kettle-7", 2).state, "done");
  ::kill(child_, SIGTERM);
  EXPECT_EQ(wait_for_end(), 0);
}

TEST_F(Signals, Row36ABaseThatIsReplacedIsNotLearntOn) {
  start();
  add_and_learn("kettle-7");
  const std::vector<std::uint8_t> before = picture::decode(generate("a <kettle-7>").images.at(0).png.data).rgb;
  plant(folder_ / "base", "another base");
  const std::int64_t head = status().state.id;
  const api::JobInfo failed = learn_again("kettle-7", 2);
  EXPECT_EQ(failed.state, "failed");
  EXPECT_EQ(failed.attempts, 1) << "another attempt would find the same";
  EXPECT_EQ(failed.error_code, "conflict");
  EXPECT_THAT(failed.error_message, HasSubstr("has changed since the daemon started"));
  EXPECT_EQ(status().state.id, head);
  EXPECT_EQ(picture::decode(generate("a <kettle-7>").images.at(0).png.data).rgb, before);
  plant(folder_ / "base", "fake base");
  EXPECT_EQ(learn_again("kettle-7", 2).state, "done");
}

}  // namespace
}  // namespace conceptd::daemon::test
