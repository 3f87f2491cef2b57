// Goal: a night does what it says, ends when it must, goes on where it was cut off, and is held once a date. Method:
// the real daemon and worker process, a learner that pretends, and a clock that only the test moves.
#include "daemon/nights.h"

#include <fstream>

#include "core/fake_clock.h"
#include "tests/daemon/daemon_fixture.h"

namespace conceptd::daemon::test {
namespace {

class Nightly : public DaemonTest {
 protected:
  Nightly() {
    config_.window.start = "01:00", config_.window.end = "06:00", config_.window.zone = "Europe/Berlin";
    at("2026-11-22T12:00");
  }
  ~Nightly() override { stop(); }  // before its clock
  void at(const std::string& time) { fake_.set(parse_iso8601(time + ":00Z")); }
  void start() {
    DaemonParts parts = this->parts();
    parts.night_poll = 10ms;
    parts.consolidates = consolidates_;
    daemon_ = std::make_unique<Daemon>(config_, fake_, parts);
    daemon_->start();
  }
  void plant(const std::string& file) { std::ofstream(folder_ / file) << "here"; }
  api::NightInfo night(const std::string& id = "last") {
    return api::decode_answer<api::NightAnswer>(client().get("nights/" + id)).night;
  }
  std::vector<api::NightInfo> nights() { return api::decode_answer<api::NightList>(client().get("nights")).nights; }
  // The n-th, when it is over.
  api::NightInfo over(std::int64_t id) {
    for (int i = 0; i < 3000; ++i, std::this_thread::sleep_for(20ms)) {
      const auto all = nights();
      if (!all.empty() && all.front().id >= id)
        if (api::NightInfo info = night(std::to_string(id)); info.is_over()) return info;
    }
    ADD_FAILURE() << "night " << id << " does not end";
    return {};
  }
  api::NightInfo hold() {
    return over(api::decode_answer<api::NightAnswer>(client().post("nights", Json::object())).night.id);
  }
  static const api::NightStepInfo& step(const api::NightInfo& night, const std::string& name) {
    for (const api::NightStepInfo& each : night.steps)
      if (each.name == name) return each;
    throw Error(Code::not_found, "no step " + name);
  }
  static std::string states(const api::NightInfo& night) {
    std::string text;
    for (const api::NightStepInfo& each : night.steps) text += each.name + " " + each.state + ", ";
    return text;
  }
  // Long enough for a thread that polls every 10 ms to do what it should not.
  static void a_while() { std::this_thread::sleep_for(300ms); }
  Json report(std::int64_t id) { return client().get("nights/" + std::to_string(id) + "/report"); }

  FakeClock fake_;
  bool consolidates_ = false;
};

TEST_F(Nightly, LearnsInTheWindowAndPublishesOneState) {
  config_.learn_when = "window";
  start();
  const std::int64_t a = add("a"), b = add("b"), poor = add("poor", "other");
  a_while();
  EXPECT_EQ(job(a).state, "queued");
  EXPECT_EQ(job(a).waits_until, "2026-11-23T00:00:00.000Z");
  EXPECT_FALSE(status().window->open);

  at("2026-11-23T00:10");
  const api::NightInfo night = over(1);
  EXPECT_EQ(night.date, "2026-11-23");
  EXPECT_EQ(night.cause, "window");
  EXPECT_EQ(night.state, "done") << states(night) << night.reason;
  EXPECT_EQ(job(a).state, "done");
  EXPECT_EQ(night.state_after, 1) << "one state for both";
  EXPECT_EQ(status().state.id, 1);
  EXPECT_EQ(status().state.concepts, 2);
  EXPECT_EQ(generate("a <a> and a <b>").state, 1);
  EXPECT_EQ(job(b).published, true);
  EXPECT_EQ(job(poor).refused, "likeness to its photos is 0.100");
  const Json learnt = report(1).at("learnt");
  ASSERT_EQ(learnt.size(), 3u);
  EXPECT_EQ(learnt[2].at("outcome"), "refused");
  EXPECT_EQ(learnt[2].at("reason"), "likeness to its photos is 0.100");
  EXPECT_THAT(step(night, "consolidate").message, HasSubstr("has no consolidation"));
  EXPECT_EQ(step(night, "consolidate").state, "skipped");
  EXPECT_EQ(step(night, "learn").detail.at("learnt").size(), 3u);
  a_while();
  EXPECT_EQ(nights().size(), 1u) << "once a date";
  at("2026-11-23T04:59");
  a_while();
  at("2026-11-23T00:20");  // somebody set the clock back
  a_while();
  EXPECT_EQ(nights().size(), 1u);
  at("2026-11-24T00:00");
  EXPECT_EQ(over(2).date, "2026-11-24");
}

TEST_F(Nightly, WhatIsUrgentDoesNotWait) {
  config_.learn_when = "window";
  start();
  api::AddConcept request = request_for("a");
  request.now = true;
  const auto added = api::decode_answer<api::Queued>(client().post("concepts", api::encode(request)));
  EXPECT_EQ(added.job.waits_until, std::nullopt);
  EXPECT_EQ(wait_for(added.job.id).published, true);
  const Json again = client().post("concepts/a/learn", {{"now", true}});
  EXPECT_EQ(wait_for(api::decode_answer<api::Queued>(again).job.id).state, "done");
  const Json waiting = client().post("concepts/a/learn", Json::object());
  a_while();
  EXPECT_EQ(job(api::decode_answer<api::Queued>(waiting).job.id).state, "queued");
}

TEST_F(Nightly, EndsWithTheWindowAndTheJobKeepsItsPlace) {
  config_.learn_when = "window";
  start();
  const std::int64_t slow = add("slow", "other");
  at("2026-11-23T00:10");
  wait_until(slow, [](const api::JobInfo& info) { return info.progress.step >= 2; });
  EXPECT_THAT(night().steps[0].message, HasSubstr("learning slow"));
  at("2026-11-23T05:00");
  const api::NightInfo night = over(1);
  EXPECT_EQ(night.state, "stopped");
  EXPECT_THAT(night.reason, HasSubstr("not to its end: learn, consolidate"));
  EXPECT_EQ(step(night, "learn").state, "stopped");
  EXPECT_EQ(step(night, "publish").state, "done");
  EXPECT_EQ(step(night, "backup").state, "skipped");
  const api::JobInfo job = wait_until(slow, [](const api::JobInfo& info) { return info.state == "queued"; });
  EXPECT_EQ(job.attempts, 0) << "the end of a window is nobody's fault";
}

TEST_F(Nightly, IsHeldWhenSomebodyAsksAndOnlyOneAtATime) {
  start();
  const std::int64_t slow = add("slow", "other");
  wait_until(slow, [](const api::JobInfo& info) { return info.state == "running"; });
  const auto first = api::decode_answer<api::NightAnswer>(client().post("nights", {{"until", "14:30"}}));
  EXPECT_FALSE(first.joined);
  EXPECT_EQ(first.night.until, "2026-11-22T13:30:00.000Z") << "as the clocks of the window show it";
  const auto second = api::decode_answer<api::NightAnswer>(client().post("nights", Json::object()));
  EXPECT_TRUE(second.joined);
  EXPECT_EQ(second.night.id, first.night.id);
  EXPECT_EQ(refused("nights", {{"until", "25:00"}}).second.field, "until");
  EXPECT_EQ(refused("nights", {{"until", "six"}}).first, 422);
  at("2026-11-22T13:30");
  EXPECT_EQ(over(1).state, "stopped");
  EXPECT_EQ(job(slow).state, "running") << "learning does not wait for a window here";
  EXPECT_EQ(refused("nights/9/report", {}).first, 405);
  EXPECT_ERROR(client().get("nights/2026-11-20"), Code::not_found, "no night began on 2026-11-20");
  EXPECT_EQ(night("2026-11-22").id, 1);
}

TEST_F(Nightly, OpensTheWindowForWhatIsQueued) {
  config_.learn_when = "window";
  start();
  const std::int64_t a = add("a");
  a_while();
  EXPECT_EQ(job(a).state, "queued");
  EXPECT_EQ(hold().state, "done");
  EXPECT_EQ(job(a).published, true);
}

TEST_F(Nightly, GoesOnWhereItWasCutOff) {
  config_.learn_when = "window";
  start();
  const std::int64_t a = add("a"), slow = add("slow", "other");
  at("2026-11-23T00:10");
  wait_until(slow, [](const api::JobInfo& info) { return info.progress.step >= 2; });
  EXPECT_EQ(job(a).night, 1) << "it waits for the night to publish it";
  EXPECT_EQ(job(a).published, false);
  stop();
  at("2026-11-23T01:00");
  start();
  wait_until(slow, [](const api::JobInfo& info) { return info.state == "running"; });
  EXPECT_EQ(night().state, "running");
  client().post("jobs/" + std::to_string(slow) + "/cancel", Json::object());
  const api::NightInfo night = over(1);
  EXPECT_EQ(night.state, "done") << states(night) << night.reason;
  EXPECT_EQ(job(a).published, true);
  EXPECT_EQ(nights().size(), 1u);
}

TEST_F(Nightly, IsClosedAsWhatItWasWhereItsTimeHasPassed) {
  config_.learn_when = "window";
  start();
  const std::int64_t a = add("a"), slow = add("slow", "other");
  at("2026-11-23T00:10");
  wait_until(slow, [](const api::JobInfo& info) { return info.progress.step >= 2; });
  stop();
  at("2026-11-23T12:00");
  start();
  const api::NightInfo night = over(1);
  EXPECT_EQ(night.state, "stopped");
  EXPECT_EQ(states(night),
            "learn stopped, consolidate skipped, publish done, measure skipped, gc skipped, verify skipped, backup "
            "skipped, ");
  EXPECT_EQ(job(a).published, true) << "what was learnt and accepted is not lost";
  a_while();
  EXPECT_EQ(nights().size(), 1u) << "it was held; there is nothing to catch up with";
}

TEST_F(Nightly, IsCaughtUpWithOnceWhereItWasMissed) {
  start();
  a_while();
  EXPECT_EQ(nights().size(), 0u) << "the nights before the first start were nobody's";
  stop();
  at("2026-11-25T12:00");
  start();
  const api::NightInfo night = over(1);
  EXPECT_EQ(night.cause, "catch_up");
  EXPECT_EQ(night.date, "2026-11-25") << "the last of those that were missed";
  EXPECT_EQ(night.until, "2026-11-25T17:00:00.000Z") << "as long as a window is";
  stop();
  start();
  a_while();
  EXPECT_EQ(nights().size(), 1u);
  stop();
  config_.window.catch_up = false;
  at("2026-11-27T12:00");
  start();
  a_while();
  EXPECT_EQ(nights().size(), 1u);
}

TEST_F(Nightly, ProvesThatNothingWasForgotten) {
  start();
  add_and_learn("a"), add_and_learn("b");
  const api::NightInfo first = hold();
  EXPECT_EQ(first.state, "done") << states(first) << first.reason;
  EXPECT_EQ(step(first, "measure").detail.at("first").size(), 2u);
  const api::NightInfo second = hold();
  EXPECT_THAT(step(second, "measure").message, HasSubstr("2 draw the same bytes"));
  plant("forget-a");
  const api::NightInfo third = hold();
  EXPECT_EQ(third.state, "failed");
  EXPECT_THAT(third.reason, HasSubstr("changed: a"));
  EXPECT_EQ(step(third, "backup").state, "done") << "a step that fails is no reason to leave the others";

  const Json matrices = report(3).at("matrices"), likeness = matrices.at("likeness");
  EXPECT_EQ(matrices.at("concepts"), (Json{"a", "b"}));
  EXPECT_EQ(matrices.at("nights").size(), 3u);
  EXPECT_EQ(likeness.at("score"), (Json{{.5, .5}, {.5, .5}, {.25, .5}}));
  EXPECT_EQ(likeness.at("backward_transfer"), -.125);
  EXPECT_EQ(likeness.at("forgetting"), .125);
  EXPECT_EQ(report(2).at("matrices").at("likeness").at("forgetting"), 0.) << "a report does not change afterwards";
  const Json measured = report(3).at("measured")[0];
  EXPECT_EQ(measured.at("outcome"), "changed");
  EXPECT_EQ(measured.at("count"), 8);
}

TEST_F(Nightly, MeasuresWithAnotherWorkerWhereOneDied) {
  start();
  add_and_learn("a"), add_and_learn("b");
  plant("die-a");
  const api::NightInfo night = hold();
  EXPECT_EQ(night.state, "done") << night.reason;
  EXPECT_EQ(step(night, "measure").detail.at("first").size(), 2u);
}

TEST_F(Nightly, SaysSoWhereThereIsNothingToMeasureWith) {
  start();
  add_and_learn("a");
  plant("no-gate");
  const api::NightInfo night = hold();
  EXPECT_EQ(night.state, "done") << night.reason;
  EXPECT_EQ(step(night, "measure").state, "skipped");
  EXPECT_THAT(step(night, "measure").message, HasSubstr("no gate.json"));
}

TEST_F(Nightly, PublishesAConsolidatedDeltaThatItsGateAccepts) {
  consolidates_ = true;
  start();
  add_and_learn("a");
  EXPECT_EQ(step(hold(), "consolidate").message, "fewer than two concepts");
  add_and_learn("b");
  const api::NightInfo night = hold();
  EXPECT_EQ(step(night, "consolidate").message, "accepted: all hold") << states(night) << night.reason;
  EXPECT_EQ(step(night, "publish").detail.at("consolidated"), true);
  EXPECT_EQ(report(night.id).at("consolidated").get<std::string>().substr(7),
            Digest::of("delta:of all:a,b|delta:a:1:3|delta:b:1:3").hex());
  const auto drawn = generate("a <a> and a <b>");
  ASSERT_TRUE(drawn.consolidated);
  EXPECT_EQ(report(night.id).at("consolidated").get<std::string>(), *drawn.consolidated);
  EXPECT_FALSE(generate("a <a>").consolidated) << "one concept is its own delta's, and so forgets nothing";
  EXPECT_TRUE(generate("a <a@1> and a <b>").consolidated) << "that version is the live one";
  const auto draw = [&](api::GenerateRequest request) {
    request.prompt = "a <a> and a <b>", request.seed = 42;
    return api::decode_answer<api::GenerateResponse>(client().post("generate", api::encode(request)));
  };
  EXPECT_FALSE(draw({.consolidated = false}).consolidated);
  EXPECT_FALSE(draw({.gate_bias = .5}).consolidated);
  EXPECT_NE(draw({.consolidated = false}).images[0].png.data, draw({}).images[0].png.data);
  EXPECT_EQ(step(hold(), "consolidate").message, "what is published has one already");
  EXPECT_EQ(wait_for(add("c")).published, true);
  EXPECT_TRUE(generate("a <a> and a <b>").consolidated) << "it still speaks for these two";
  EXPECT_FALSE(generate("a <a> and a <c>").consolidated) << "of c it knows nothing";
  plant("refuse-all");
  const api::NightInfo refusing = hold();
  EXPECT_EQ(step(refusing, "consolidate").message, "refused: a lost too much");
  EXPECT_EQ(report(refusing.id).at("consolidated"), *drawn.consolidated) << "that of the night before";
  EXPECT_EQ(refusing.state, "done") << "the gate did its work";
  EXPECT_EQ(learn_again("b", 2).published, true);
  EXPECT_FALSE(generate("a <a> and a <b>").consolidated) << "a member that is live no more taints it";
}

TEST_F(Nightly, KeepsTheRegistryWell) {
  config_.night.backups_keep = 2;
  config_.night.verify_days = 4;
  start();
  add_and_learn("a");
  for (int i = 1; i <= 4; ++i) {
    const api::NightInfo night = hold();
    ASSERT_EQ(night.state, "done") << states(night) << night.reason;
    EXPECT_EQ(step(night, "verify").detail.at("buckets"), 64);
    EXPECT_EQ(step(night, "verify").detail.at("all_since").is_null(), i < 4) << "in four nights all is hashed";
    EXPECT_EQ(step(night, "backup").detail.at("removed").size(), i <= 2 ? 0u : 1u);
  }
  int backups = 0;
  for (const auto& entry : std::filesystem::directory_iterator(config_.data_dir / "backups"))
    backups += entry.path().filename().string().starts_with("night-");
  EXPECT_EQ(backups, 2);
  const Digest photo = Digest::of(test::photo(0));
  std::filesystem::path file = config_.data_dir / "photos" / photo.hex().substr(0, 2) / photo.hex();
  ASSERT_TRUE(std::filesystem::remove(file)) << file;
  const api::NightInfo night = hold();
  EXPECT_EQ(night.state, "failed");
  EXPECT_THAT(step(night, "verify").message, HasSubstr(photo.hex()));
}

TEST_F(Nightly, DoesNotLearnWhatIsPaused) {
  start();
  client().post("learning/pause", {{"reason", "a fair"}});
  const std::int64_t a = add("a");
  const api::NightInfo night = hold();
  EXPECT_EQ(night.state, "stopped");
  EXPECT_THAT(step(night, "learn").message, HasSubstr("paused by"));
  EXPECT_EQ(step(night, "backup").state, "done");
  EXPECT_EQ(job(a).state, "queued");
}

TEST_F(Nightly, DoesNotWaitForAJobThatIsPaused) {
  start();
  add_and_learn("a");
  const std::int64_t slow = add("slow", "other");
  wait_until(slow, [](const api::JobInfo& info) { return info.progress.step >= 2; });
  client().post("learning/pause", {{"reason", "a fair"}});
  const api::NightInfo night = hold();
  EXPECT_EQ(step(night, "learn").state, "stopped");
  EXPECT_EQ(step(night, "measure").state, "done") << step(night, "measure").message;
  EXPECT_EQ(step(night, "backup").state, "done");
}

TEST_F(Nightly, EndsWithItsTimeWhateverAWorkerIsBusyWith) {
  consolidates_ = true;
  start();
  add_and_learn("a"), add_and_learn("b");
  plant("slow-consolidate");
  client().post("nights", {{"until", "14:00"}});
  for (int i = 0; i < 500 && step(night(), "consolidate").state != "running"; ++i) std::this_thread::sleep_for(20ms);
  at("2026-11-22T13:30");
  const api::NightInfo night = over(1);
  EXPECT_EQ(night.state, "stopped") << states(night) << night.reason;
  EXPECT_EQ(step(night, "consolidate").state, "stopped");
  EXPECT_EQ(step(night, "publish").state, "done");
}

TEST_F(Nightly, AStepThatMeetsWhatNobodyThoughtOfHasFailedAndTheNextOnesRun) {
  start();
  add_and_learn("a");
  std::filesystem::remove_all(config_.data_dir / "backups");
  std::filesystem::create_symlink(config_.data_dir / "backups", config_.data_dir / "backups");  // a link to itself
  const api::NightInfo night = hold();
  EXPECT_EQ(night.state, "failed") << states(night);
  EXPECT_EQ(step(night, "backup").state, "failed");
}

TEST_F(Nightly, IsSeenFromOutside) {
  start();
  hold();
  EXPECT_EQ(status().night->state, "done");
  const std::string metrics = client().exchange("GET", "/metrics", "", 30s).body;
  EXPECT_THAT(metrics, HasSubstr("conceptd_night{state=\"done\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("conceptd_night_step_seconds{step=\"verify\"}"));
  const std::string audit = client().get("audit?subject=night%201").dump();
  EXPECT_THAT(audit, HasSubstr("\"night_over\""));
}

}  // namespace
}  // namespace conceptd::daemon::test
