// Goal: whatever becomes of a worker, the daemon and what is published stay as they were.
#include "registry/sqlite.h"
#include "tests/daemon/daemon_fixture.h"

namespace conceptd::daemon::test {
namespace {

class Jobs : public DaemonTest {};

TEST_F(Jobs, AKilledWorkerCostsAnAttempt) {
  start();
  const api::JobInfo job = wait_for(add("kill-once", "other"));
  EXPECT_EQ(job.state, "done");
  EXPECT_EQ(job.attempts, 2);
  EXPECT_EQ(generate("a <kill-once>").concepts[0].version, 1);
}

TEST_F(Jobs, AWorkerThatAlwaysDiesFailsItsJobAlone) {
  start();
  const api::JobInfo job = wait_for(add("kill-always", "other"));
  EXPECT_EQ(job.state, "failed");
  EXPECT_EQ(job.attempts, 3);
  EXPECT_THAT(job.error_message, HasSubstr("signal 9"));
  EXPECT_EQ(show("kill-always").summary.status, "failed");
  EXPECT_EQ(status().state.id, 0);
  add_and_learn("kettle-7");
}

TEST_F(Jobs, AFailureThatCannotPassIsNotTriedAgain) {
  start();
  const api::JobInfo refused_job = wait_for(add("refuse", "other"));
  EXPECT_EQ(refused_job.attempts, 1);
  EXPECT_EQ(refused_job.error_message, "the setting is wrong");
  EXPECT_EQ(wait_for(add("fail", "other")).attempts, 3) << "a failed step may go better with luck";
}

TEST_F(Jobs, WhatCannotBeLoadedIsNotPublished) {
  start();
  const api::JobInfo job = wait_for(add("garbage", "other"));
  EXPECT_EQ(job.state, "failed");
  EXPECT_THAT(job.error_message, HasSubstr("not a delta"));
  EXPECT_EQ(status().counts.versions, 0);
  EXPECT_EQ(status().state.id, 0);
}

TEST_F(Jobs, WhatTheGateRefusesIsKeptAndNotPublished) {
  start();
  const api::JobInfo job = wait_for(add("poor", "other"));
  EXPECT_EQ(job.state, "done");
  EXPECT_EQ(job.published, false);
  EXPECT_EQ(job.refused, "likeness to its photos is 0.100");
  EXPECT_EQ(show("poor").summary.status, "unpublished");
  EXPECT_EQ(status().state.id, 0);
  const auto [status_code, why] = refused("generate", {{"prompt", "a <poor>"}});
  EXPECT_EQ(status_code, 409);
  EXPECT_THAT(why.message, HasSubstr("learnt and not published"));
  EXPECT_EQ(generate("a <poor@1>").concepts[0].version, 1) << "a refused version can be looked at";
  EXPECT_EQ(refused("concepts/poor/promote", {{"version", "1"}}).second.field, "override_gate");
  client().post("concepts/poor/promote", {{"version", "1"}, {"override_gate", true}, {"reason", "the print run"}});
  EXPECT_EQ(generate("a <poor>").concepts[0].version, 1);
  const api::JobInfo better = learn_again("poor", 2);
  EXPECT_EQ(better.refused, "");
  EXPECT_THAT(show("poor").live->verdict_reason, HasSubstr("beside delta:poor")) << "the worker saw what was live";
}

TEST_F(Jobs, ADamagedVersionIsMendedByLearningAgain) {
  start();
  add_and_learn("kettle-7");
  stop();
  {
    registry::Database database(folder_ / "data/registry.db");
    registry::Transaction tx(database, registry::Transaction::Kind::immediate, "tampering");
    tx.script("DROP TRIGGER delta_is_immutable; UPDATE delta SET bytes = CAST('rust' AS BLOB)");
    tx.commit();
  }
  start();
  EXPECT_NE(refused("generate", {{"prompt", "a <kettle-7>"}}).first, 200);
  EXPECT_EQ(learn_again("kettle-7", 2).state, "done");
  EXPECT_EQ(show("kettle-7").live->verdict_reason, "not judged") << "there was nothing to judge it beside";
  EXPECT_EQ(generate("a <kettle-7>").concepts[0].version, 2);
}

TEST_F(Jobs, ADeadlineEndsWhatHasNotBegunByThen) {
  start();
  client().post("learning/pause", Json::object());
  api::AddConcept request = request_for("kettle-7");
  request.deadline_s = 1;
  const auto id = api::decode_answer<api::Queued>(client().post("concepts", api::encode(request))).job.id;
  EXPECT_TRUE(job(id).deadline);
  const api::JobInfo late = wait_for(id);
  EXPECT_EQ(late.state, "failed");
  EXPECT_EQ(late.error_code, "cancelled");
  EXPECT_THAT(late.error_message, HasSubstr("deadline"));
  client().post("learning/resume", Json::object());
  request = request_for("kettle-8");
  request.deadline_s = 3600;
  const auto in_time = api::decode_answer<api::Queued>(client().post("concepts", api::encode(request))).job.id;
  EXPECT_EQ(wait_for(in_time).state, "done");
}

TEST_F(Jobs, SayHowFarTheyAreAndEndWhenCancelled) {
  start();
  const std::int64_t id = add("slow", "other");
  const api::JobInfo running =
      wait_until(id, [](const api::JobInfo& info) { return info.progress.step >= 3 && info.has_preview; });
  EXPECT_EQ(running.state, "running");
  EXPECT_EQ(running.progress.steps, 10'000);
  EXPECT_TRUE(running.progress.loss);
  EXPECT_TRUE(running.progress.eta_s);
  EXPECT_EQ(picture::decode(client().get_bytes("jobs/" + std::to_string(id) + "/preview.png")).rgb.size(), 6u);
  EXPECT_EQ(status().running_job->id, id);
  EXPECT_EQ(refused("concepts/slow/learn", Json::object()).first, 409);

  client().post("jobs/" + std::to_string(id) + "/cancel", Json::object());
  EXPECT_EQ(job(id).state, "cancelled");
  client().post("jobs/" + std::to_string(id) + "/cancel", Json::object());
  add_and_learn("kettle-7");
  EXPECT_EQ(job(id).state, "cancelled");
  EXPECT_EQ(refused("jobs/99/cancel", Json::object()).first, 404);
  EXPECT_EQ(refused("jobs/x/cancel", Json::object()).first, 422);
}

TEST_F(Jobs, GoBackToTheQueueWhenTheDaemonStops) {
  start();
  const std::int64_t id = add("slow", "other");
  wait_until(id, [](const api::JobInfo& info) { return info.progress.step >= 2; });
  stop();
  start();
  const api::JobInfo again = wait_until(id, [](const api::JobInfo& info) { return info.state == "running"; });
  EXPECT_EQ(again.attempts, 1) << "a stop is nobody's fault";
}

TEST_F(Jobs, ASilentWorkerIsEnded) {
  config_.stall_s = 1;
  config_.attempts_max = 1;
  start();
  const api::JobInfo job = wait_for(add("silent", "other"));
  EXPECT_EQ(job.state, "failed");
  EXPECT_THAT(job.error_message, HasSubstr("said nothing"));
}

TEST_F(Jobs, AWorkerThatDoesNotStartSaysSo) {
  worker_ = "/bin/false";
  start();
  const api::JobInfo job = wait_for(add("kettle-7"));
  EXPECT_EQ(job.state, "failed");
  EXPECT_THAT(job.error_message, HasSubstr("it ended with status 1"));
}

TEST_F(Jobs, SayTheSameOfTheirPreviewInAListAndAlone) {
  start();
  add_and_learn("kettle-7");
  const auto all = api::decode_answer<api::JobList>(client().get("jobs"));
  ASSERT_EQ(all.jobs.size(), 1u);
  EXPECT_TRUE(all.jobs[0].has_preview);
  EXPECT_TRUE(job(all.jobs[0].id).has_preview);
  EXPECT_EQ(picture::decode(client().get_bytes("jobs/1/preview.png")).rgb.size(), 6u);
  EXPECT_FALSE(wait_for(add("refuse", "other")).has_preview);
}

TEST_F(Jobs, CarryTheMethodsOwnSettings) {
  start();
  api::AddConcept request = request_for("kettle-7");
  request.steps = 5;
  request.settings = api::Settings{{{"rate", 0.5}}};
  const Json added = client().post("concepts", api::encode(request));
  ASSERT_EQ(wait_for(api::decode_answer<api::Queued>(added).job.id).state, "done");
  EXPECT_EQ(show("kettle-7").live->settings, (Json{{"rate", 0.5}, {"steps", 5}}));
  const Json again = client().post("concepts/kettle-7/learn", {{"settings", {{"batch", 2}}}});
  ASSERT_EQ(wait_for(api::decode_answer<api::Queued>(again).job.id).state, "done");
  EXPECT_EQ(show("kettle-7").live->settings, (Json{{"batch", 2}}));
  const auto [code, error] = refused("concepts/kettle-7/learn", {{"settings", {{"steps", 2}}}});
  EXPECT_EQ(code, 422);
  EXPECT_EQ(error.field, "settings.steps");
}

TEST_F(Jobs, AreListedNewestFirst) {
  start();
  add_and_learn("kettle-7");
  wait_for(add("refuse", "other"));
  const auto all = api::decode_answer<api::JobList>(client().get("jobs"));
  ASSERT_EQ(all.jobs.size(), 2u);
  EXPECT_EQ(all.jobs[0].name, "refuse");
  const auto failed = api::decode_answer<api::JobList>(client().get("jobs?state=failed"));
  ASSERT_EQ(failed.jobs.size(), 1u);
  EXPECT_ERROR(client().get("jobs?colour=red"), Code::invalid, "not by 'colour'");
  EXPECT_TRUE(status().methods[0].typical_seconds) << "what the last job took";
}

}  // namespace
}  // namespace conceptd::daemon::test
