// Goal: whoever watches the daemon from outside learns whether it lives, whether it can serve, and how it does, and
// reads nothing there that a client wrote.
#include <atomic>
#include <future>
#include <thread>

#include "core/file_io.h"
#include "tests/daemon/daemon_fixture.h"

namespace conceptd::daemon::test {
namespace {

class Health : public DaemonTest {
 protected:
  Health() {
    set_durable_step_hook([this](const DurableStep& step) {
      if (full_) throw Error(Code::unavailable, "no space is left on the device");
      if (holds_ && (step.kind == "commit") == holds_commits_ && holds_.exchange(false)) {
        held_.set_value();
        go_on_.get_future().wait();
      }
    });
  }
  // The next durable step waits until go_on_: a commit, or one outside every transaction.
  void hold_the_next(bool commit) {
    holds_commits_ = commit;
    holds_ = true;
  }
  ~Health() override {
    full_ = false;
    stop();
    set_durable_step_hook({});
  }
  cli::Reply ask(const std::string& path) { return client().exchange("GET", path, {}, 30s); }
  // The failing checks of /readyz.
  std::vector<std::string> failing() {
    const cli::Reply reply = ask("/readyz");
    const auto answer = api::decode_answer<api::Readiness>(Json::parse(reply.body));
    std::vector<std::string> names;
    for (const api::CheckInfo& check : answer.checks)
      if (!check.ok) names.push_back(check.name);
    EXPECT_EQ(reply.status, names.empty() ? 200 : 503);
    EXPECT_EQ(answer.ready, names.empty());
    return names;
  }
  std::atomic<bool> full_ = false, holds_ = false, holds_commits_ = false;
  std::promise<void> held_, go_on_;
};

TEST_F(Health, IsReadyWhenItCanServe) {
  start();
  EXPECT_THAT(failing(), testing::IsEmpty());
  add_and_learn("kettle-7");
  EXPECT_THAT(failing(), testing::IsEmpty());
}

TEST_F(Health, SaysWhatIsMissingUntilItIsThereAgain) {
  config_.disk_floor_mb = 1 << 24;  // 16 TB
  start();
  EXPECT_THAT(failing(), testing::ElementsAre("disk"));
  full_ = true;
  EXPECT_EQ(refused("learning/pause", Json::object()).second.code, "unavailable");
  EXPECT_THAT(failing(), testing::ElementsAre("disk", "registry"));
  EXPECT_EQ(ask("/healthz").status, 200) << "it lives all the same";
  full_ = false;
  client().post("learning/pause", Json::object());
  EXPECT_THAT(failing(), testing::ElementsAre("disk"));
}

// What decodes thirty photos holds up others of its kind, and nobody who reads or draws.
TEST_F(Health, SlowRequestsHoldUpTheirLikeAlone) {
  http_.slow_threads = http_.handler_threads = 1;
  start();
  hold_the_next(false);  // a photo's file
  std::thread adding([&] { client().post("concepts", api::encode(request_for("kettle-7"))); });
  held_.get_future().wait();
  EXPECT_EQ(client().exchange("GET", "/api/v1/status", "", 10s).status, 200);
  go_on_.set_value();
  adding.join();
}

TEST_F(Health, LivesWhileEveryHandlerIsBusy) {
  http_.handler_threads = 1;
  start();
  hold_the_next(true);
  std::thread writer([&] { client().post("learning/pause", Json::object()); });
  held_.get_future().wait();
  EXPECT_EQ(client().exchange("GET", "/healthz", "", 10s).status, 200);
  go_on_.set_value();
  writer.join();
}

TEST_F(Health, CountsWhatIsRefusedAtTheDoor) {
  start();
  EXPECT_EQ(client().exchange("BREW", "/api/v1/status", "", 10s).status, 400);
  EXPECT_THAT(client().exchange("GET", "/metrics", "", 10s).body,
              HasSubstr("conceptd_requests_total{code=\"400\",method=\"other\",route=\"refused\"} 1"));
}

TEST_F(Health, CountsWhatItDoesInPrometheussForm) {
  start();
  add_and_learn("kettle-7");
  generate("a <kettle-7> on the beach");
  refused("generate", {{"prompt", "a <secret-plan>"}});
  ask("/api/v1/concepts/secret-plan/nothing");
  ask("/secret-plan");
  const cli::Reply reply = ask("/metrics");
  ASSERT_EQ(reply.status, 200);
  for (const char* line :
       {"conceptd_ready 1", "conceptd_state_id 1", "conceptd_concepts 1", "conceptd_pictures_total 1",
        "conceptd_jobs{state=\"done\"} 1", "conceptd_learning_paused 0", "process_resident_memory_bytes ",
        "conceptd_requests_total{code=\"200\",method=\"POST\",route=\"generate\"} 1",
        "conceptd_requests_total{code=\"404\",method=\"GET\",route=\"other\"} 2",
        "# TYPE conceptd_request_seconds histogram"})
    EXPECT_THAT(reply.body, HasSubstr(line));
  EXPECT_EQ(reply.body.find("secret"), std::string::npos) << "no client's words";
  EXPECT_EQ(reply.body.find("kettle"), std::string::npos) << "and no names";
}

}  // namespace
}  // namespace conceptd::daemon::test
