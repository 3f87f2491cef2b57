// Goal: a concept that is added can be asked for in seconds, whatever else is being learnt, and what its method learns
// takes the draft's place.
#include "tests/daemon/daemon_fixture.h"

namespace conceptd::daemon::test {
namespace {

class Drafts : public DaemonTest {
 protected:
  Drafts() { draft_method_ = "fake"; }
  api::Queued queue(const api::AddConcept& request) {
    return api::decode_answer<api::Queued>(client().post("concepts", api::encode(request)));
  }
  std::vector<api::VersionInfo> history(const std::string& name) {
    return api::decode_answer<api::History>(client().get("concepts/" + name + "/history")).versions;
  }
};

TEST_F(Drafts, AreLearntBesideWhateverElseIsAndReplacedByWhatTheMethodLearns) {
  start();
  const api::Queued slow = queue(request_for("slow", "other"));
  ASSERT_TRUE(slow.draft);
  EXPECT_TRUE(slow.draft->draft);
  EXPECT_FALSE(slow.job.draft);
  wait_until(slow.job.id, [](const api::JobInfo& info) { return info.progress.step > 2; });
  EXPECT_EQ(job(slow.draft->id).state, "done") << "the draft came first";

  const api::Queued kettle = queue(request_for("kettle-7", "other"));
  EXPECT_EQ(wait_for(kettle.draft->id).state, "done");
  EXPECT_EQ(job(slow.job.id).state, "running") << "nobody was in the way";
  EXPECT_EQ(job(kettle.job.id).state, "queued");
  EXPECT_EQ(show("kettle-7").summary.status, "queued");
  EXPECT_TRUE(show("kettle-7").live->draft);
  EXPECT_EQ(generate("a <kettle-7>").concepts[0].version, 1);

  client().post("jobs/" + std::to_string(slow.job.id) + "/cancel", Json::object());
  EXPECT_EQ(wait_for(kettle.job.id).state, "done");
  EXPECT_EQ(show("kettle-7").summary.status, "live");
  const auto versions = history("kettle-7");
  ASSERT_EQ(versions.size(), 2u);
  EXPECT_FALSE(versions[0].draft);
  EXPECT_TRUE(versions[0].live);
  EXPECT_EQ(versions[0].parent, 1) << "judged beside the draft";
  EXPECT_EQ(versions[0].method, "other");
  EXPECT_TRUE(versions[1].draft);
  EXPECT_EQ(versions[1].method, "fake");
  EXPECT_EQ(versions[0].metrics["light"], 0);
  EXPECT_EQ(versions[1].metrics["light"], 1);
}

TEST_F(Drafts, AreNoBarForWhatTheMethodLearns) {
  start();
  const api::Queued beside = queue(request_for("beside", "other"));
  EXPECT_EQ(wait_for(beside.job.id).state, "done");
  EXPECT_EQ(show("beside").live->verdict_reason, "beside a draft");
}

TEST_F(Drafts, AreThereWhileNothingElseIs) {
  start();
  const api::Queued refused = queue(request_for("refuse", "other"));
  EXPECT_EQ(wait_for(refused.job.id).state, "failed");
  EXPECT_EQ(show("refuse").summary.status, "draft");
  EXPECT_EQ(generate("a <refuse>").concepts[0].version, 1);
}

TEST_F(Drafts, GoWithTheJobThatIsCancelled) {
  draft_method_ = "other";
  start();
  const api::Queued slow = queue(request_for("slow", "fake"));  // it is the draft that is slow
  wait_until(slow.draft->id, [](const api::JobInfo& info) { return info.progress.step > 2; });
  client().post("jobs/" + std::to_string(slow.job.id) + "/cancel", Json::object());
  EXPECT_EQ(wait_for(slow.draft->id).state, "cancelled");
  EXPECT_EQ(show("slow").summary.newest_version, 0);
}

TEST_F(Drafts, GoOnAfterARestart) {
  draft_method_ = "other";
  start();
  const api::Queued slow = queue(request_for("slow", "fake"));
  wait_until(slow.draft->id, [](const api::JobInfo& info) { return info.progress.step > 2; });
  stop();
  start();
  wait_until(slow.draft->id, [](const api::JobInfo& info) { return info.progress.step > 2; });
  EXPECT_EQ(job(slow.draft->id).attempts, 1);
  client().post("jobs/" + std::to_string(slow.draft->id) + "/cancel", Json::object());
  EXPECT_EQ(wait_for(slow.job.id).state, "done") << "it waited for the draft alone";
}

TEST_F(Drafts, DoNotWaitForTheWindow) {
  config_.window = {.start = "03:00", .end = "03:01", .days = {}, .zone = "UTC"};
  config_.learn_when = "window";
  start();
  const api::Queued kettle = queue(request_for("kettle-7", "other"));
  EXPECT_EQ(wait_for(kettle.draft->id).state, "done");
  EXPECT_EQ(generate("a <kettle-7>").concepts[0].version, 1);
  EXPECT_EQ(job(kettle.job.id).state, "queued");
}

TEST_F(Drafts, ThatFailKeepNothingBack) {
  draft_method_ = "other";
  start();
  const api::Queued kettle = queue(request_for("fail", "fake"));  // the draft's worker fails for this name
  EXPECT_EQ(wait_for(kettle.draft->id).state, "failed");
  EXPECT_EQ(job(kettle.draft->id).attempts, 1);
  EXPECT_EQ(wait_for(kettle.job.id).state, "done");
  EXPECT_EQ(show("fail").live->number, 1);
}

TEST_F(Drafts, AreNotLearntWhereNobodyWantsOne) {
  start();
  api::AddConcept without = request_for("a", "other");
  without.draft = false;
  EXPECT_FALSE(queue(without).draft);
  EXPECT_FALSE(queue(request_for("b", "fake")).draft) << "that is how drafts are learnt";
  stop();
  config_.draft = false;
  start();
  EXPECT_FALSE(queue(request_for("c", "other")).draft);
  api::AddConcept with = request_for("d", "other");
  with.draft = true;
  EXPECT_TRUE(queue(with).draft);
  stop();
  draft_method_.clear();
  start();
  const auto [status, error] = refused("concepts", [&] {
    with.name = "e";
    return api::encode(with);
  }());
  EXPECT_EQ(status, 422);
  EXPECT_EQ(error.field, "draft");
}

}  // namespace
}  // namespace conceptd::daemon::test
