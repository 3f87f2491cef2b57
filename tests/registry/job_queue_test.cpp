#include <cmath>

#include "tests/registry/registry_fixture.h"

namespace conceptd::registry::test {
namespace {

class Jobs : public RegistryTest {
 protected:
  JobQueue& jobs() { return registry().jobs(); }
  Job enqueue(const std::string& name, bool urgent = false, int attempts_max = 3) {
    return jobs().enqueue({.name = name, .requested_by = "tester", .urgent = urgent, .attempts_max = attempts_max});
  }
};

TEST_F(Jobs, RunInTheOrderAskedUrgentOnesFirst) {
  const auto first = add("a").job.id, second = add("b").job.id, third = add("c").job.id;
  const Job urgent = enqueue("a", true);
  EXPECT_EQ(jobs().get(urgent.id).queue_position, 1);
  EXPECT_EQ(jobs().get(first).queue_position, 2);
  EXPECT_EQ(jobs().get(third).queue_position, 4);
  EXPECT_EQ(jobs().lease_next("w", 60)->id, urgent.id);
  EXPECT_EQ(jobs().lease_next("w", 60)->id, second) << "a is being learnt already";
  EXPECT_EQ(jobs().lease_next("w", 60)->id, third);
  EXPECT_EQ(jobs().lease_next("w", 60), std::nullopt);
  jobs().complete(urgent.id, 1);
  EXPECT_EQ(jobs().lease_next("w", 60)->id, first);
}

TEST_F(Jobs, OutsideTheWindowOnlyUrgentOnesAreGiven) {
  add("a");
  EXPECT_EQ(jobs().lease_next("w", 60, {.urgent_only = true}), std::nullopt);
  const Job urgent = enqueue("a", true);
  EXPECT_EQ(jobs().lease_next("w", 60, {.urgent_only = true})->id, urgent.id);
}

TEST_F(Jobs, ADraftGoesBeforeTheOtherJobsOfItsConceptAlone) {
  add("b");
  AddRequest request = request_for("a");
  request.draft = Json{{"method", "quick"}};
  const Added added = registry().add_concept(request);
  ASSERT_TRUE(added.draft);
  EXPECT_TRUE(added.draft->draft && added.draft->urgent);
  EXPECT_FALSE(added.job.draft || added.job.urgent);
  EXPECT_EQ(added.record.active_job, added.job.id);
  EXPECT_EQ(jobs().lease_next("w", 60, {.drafts = false})->name, "b");
  EXPECT_EQ(jobs().lease_next("w", 60, {.drafts = false}), std::nullopt) << "a waits for its draft";
  const Job draft = *jobs().lease_next("w", 60, {.urgent_only = true, .drafts = true});
  EXPECT_EQ(draft.id, added.draft->id);
  EXPECT_EQ(jobs().lease_next("w", 60), std::nullopt) << "a is being learnt";
  EXPECT_EQ(jobs().fail(draft.id, draft.fence, Code::internal, "no", true), JobState::failed) << "one attempt";
  EXPECT_EQ(jobs().lease_next("w", 60)->id, added.job.id);
}

TEST_F(Jobs, ADraftNeitherTakesRoomNorIsTakenBackByWhoeverRunsTheOthers) {
  AddRequest request = request_for("a");
  request.draft = Json{{"method", "quick"}};
  registry().add_concept(request);
  const Job draft = *jobs().lease_next("drafts", 60, {.drafts = true});
  clock_.advance(61s);
  EXPECT_EQ(jobs().lease_next("others", 60, {.drafts = false}), std::nullopt);
  jobs().heartbeat(draft.id, draft.fence, {}, 60);  // still its holder's
  jobs().cancel(2, "tester");
  EXPECT_EQ(jobs().get(draft.id).state, JobState::cancelled) << "with the job that it goes before";
}

TEST_F(Jobs, WhatHasBegunHasMetItsDeadline) {
  NewJob request{.name = add("a").record.name};
  jobs().cancel(1, "tester");
  request.deadline = clock_.now() + 1h;
  const Job job = jobs().enqueue(request);
  const Job leased = *jobs().lease_next("w", 60);
  jobs().release(leased.id, leased.fence);  // the window closes
  clock_.advance(2h);
  EXPECT_EQ(jobs().lease_next("w", 60)->id, job.id);
}

TEST_F(Jobs, ALeaseSaysWhoAndUntilWhenAndCountsTheAttempt) {
  add("a");
  const Job job = *jobs().lease_next("worker-9", 60);
  EXPECT_EQ(job.state, JobState::running);
  EXPECT_EQ(job.worker, "worker-9");
  EXPECT_EQ(job.attempts, 1);
  EXPECT_EQ(job.fence, 1);
  EXPECT_EQ(job.lease_until, clock_.now() + 60s);
  EXPECT_EQ(job.started_at, clock_.now());
  EXPECT_ERROR(jobs().lease_next("w", 0), Code::invalid, "lease");
}

TEST_F(Jobs, AHeartbeatKeepsTheLeaseAndTheProgress) {
  add("a");
  const Job job = *jobs().lease_next("w", 60);
  clock_.advance(50s);
  jobs().heartbeat(job.id, job.fence, {.step = 5, .steps = 100, .loss = 0.25, .eta_s = 95, .message = "learning"}, 60);
  clock_.advance(50s);
  EXPECT_EQ(jobs().requeue_expired(), 0);
  reopen();
  const Job seen = jobs().get(job.id);
  EXPECT_EQ(seen.progress.step, 5);
  EXPECT_EQ(seen.progress.steps, 100);
  EXPECT_EQ(seen.progress.loss, 0.25);
  EXPECT_EQ(seen.progress.eta_s, 95);
  EXPECT_EQ(seen.progress.message, "learning");
}

TEST_F(Jobs, ALossThatIsNotANumberIsKeptAsSuch) {
  add("a");
  const Job job = *jobs().lease_next("w", 60);
  jobs().heartbeat(job.id, job.fence, {.step = 1, .loss = std::nan(""), .eta_s = INFINITY}, 60);
  EXPECT_TRUE(std::isnan(jobs().get(job.id).progress.loss));
  EXPECT_EQ(jobs().get(job.id).progress.eta_s, -1);
}

TEST_F(Jobs, AnExpiredLeaseGoesBackAndTheOldWorkerMayWriteNothing) {
  add("a");
  const Job old = *jobs().lease_next("w1", 60);
  clock_.advance(61s);
  const Job young = *jobs().lease_next("w2", 60);
  EXPECT_EQ(young.id, old.id);
  EXPECT_GT(young.fence, old.fence);
  EXPECT_EQ(young.attempts, 2);
  EXPECT_ERROR(jobs().heartbeat(old.id, old.fence, {}, 60), Code::conflict, "leased again");
  EXPECT_ERROR(jobs().complete(old.id, old.fence), Code::conflict, "leased again");
  EXPECT_ERROR(jobs().fail(old.id, old.fence, Code::internal, "x", true), Code::conflict, "leased again");
  EXPECT_ERROR(jobs().release(old.id, old.fence), Code::conflict, "leased again");
  EXPECT_ERROR(registry().commit_learned({.job = old.id, .fence = old.fence, .version = result_for("a", "d")}),
               Code::conflict, "leased again");
  jobs().heartbeat(young.id, young.fence, {}, 60);
}

TEST_F(Jobs, AttemptsRunOut) {
  add("a");
  for (int attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_EQ(jobs().lease_next("w", 60)->attempts, attempt);
    clock_.advance(61s);
  }
  EXPECT_EQ(jobs().lease_next("w", 60), std::nullopt);
  const Job job = jobs().get(1);
  EXPECT_EQ(job.state, JobState::failed);
  EXPECT_EQ(job.error_code, "unavailable");
  EXPECT_THAT(job.error_message, testing::HasSubstr("without a word"));
  EXPECT_EQ(registry().show(name_of("a")).active_job, std::nullopt);
}

TEST_F(Jobs, AFailureThatMayPassIsTriedAgainOneThatWillNotIsNot) {
  add("a");
  add("b");
  Job job = *jobs().lease_next("w", 60);
  EXPECT_EQ(jobs().fail(job.id, job.fence, Code::exhausted, "out of RAM", true), JobState::queued);
  EXPECT_EQ(jobs().get(job.id).error_message, "out of RAM") << "the last failure is still told";
  job = *jobs().lease_next("w", 60);
  EXPECT_EQ(jobs().fail(job.id, job.fence, Code::invalid, "unreadable photo", false), JobState::failed);
  EXPECT_EQ(jobs().get(job.id).finished_at, clock_.now());
  EXPECT_ERROR(jobs().complete(job.id, job.fence), Code::conflict, "is failed, not running");
}

TEST_F(Jobs, ReleaseCostsNoAttempt) {
  add("a");
  const Job job = *jobs().lease_next("w", 60);
  jobs().release(job.id, job.fence);
  EXPECT_EQ(jobs().get(job.id).state, JobState::queued);
  EXPECT_EQ(jobs().get(job.id).attempts, 0);
}

TEST_F(Jobs, AtStartEveryLeaseIsTakenBack) {
  add("a");
  jobs().lease_next("w", 3600);
  reopen();
  EXPECT_EQ(jobs().requeue_expired(), 0);
  EXPECT_EQ(jobs().requeue_expired(true), 1);
  EXPECT_EQ(jobs().get(1).state, JobState::queued);
}

TEST_F(Jobs, CancelEndsAQueuedOneAndARunningOneWhichLearnsOfIt) {
  const auto queued = add("a").job.id;
  EXPECT_EQ(jobs().cancel(queued, "tester", "typo").state, JobState::cancelled);
  EXPECT_EQ(jobs().cancel(queued, "tester").state, JobState::cancelled) << "twice is once";
  enqueue("a");
  const Job running = *jobs().lease_next("w", 60);
  jobs().cancel(running.id, "tester");
  EXPECT_ERROR(jobs().heartbeat(running.id, running.fence, {}, 60), Code::cancelled, "was cancelled");
  EXPECT_ERROR(registry().commit_learned({.job = running.id, .fence = running.fence, .version = result_for("a", "d")}),
               Code::cancelled, "was cancelled");
  EXPECT_EQ(registry().counts().versions, 0);
  EXPECT_EQ(jobs().lease_next("w", 60), std::nullopt);
}

TEST_F(Jobs, WhatHasEndedCannotBeCancelled) {
  add("a");
  const Job job = *jobs().lease_next("w", 60);
  jobs().complete(job.id, job.fence);
  EXPECT_ERROR(jobs().cancel(job.id, "tester"), Code::conflict, "already done");
}

TEST_F(Jobs, ADeadlineThatPassedInTheQueueEndsTheJob) {
  AddRequest request = request_for("a");
  request.deadline = clock_.now() + 1h;
  registry().add_concept(request);
  clock_.advance(2h);
  EXPECT_EQ(jobs().lease_next("w", 60), std::nullopt);
  EXPECT_EQ(jobs().get(1).state, JobState::failed);
  EXPECT_THAT(jobs().get(1).error_message, testing::HasSubstr("deadline"));
}

TEST_F(Jobs, AFullQueueIsBusyAndAddsNothing) {
  registry_.reset();
  registry_ = Registry::open(folder_ / "data", clock_, {.jobs_queued_max = 2});
  add("a");
  add("b");
  EXPECT_ERROR(add("c"), Code::busy, "queue is full");
  EXPECT_ERROR(registry().check_add(request_for("c")), Code::busy, "queue is full");
  EXPECT_EQ(registry().names().size(), 2u);
}

TEST_F(Jobs, AreListedNewestFirstAndByWhatIsAsked) {
  add("a");
  add("b");
  enqueue("a");
  jobs().enqueue({.kind = JobKind::consolidate, .requested_by = "night"});
  jobs().lease_next("w", 60);
  EXPECT_EQ(jobs().list().size(), 4u);
  EXPECT_EQ(jobs().list().front().id, 4);
  EXPECT_EQ(jobs().list({.limit = 2}).size(), 2u);
  EXPECT_EQ(jobs().list({.state = JobState::running}).size(), 1u);
  EXPECT_EQ(jobs().list({.kind = JobKind::consolidate}).front().name, "");
  EXPECT_EQ(jobs().list({.name = "a"}).size(), 2u);
  EXPECT_EQ(jobs().list({.state = JobState::queued, .name = "a"}).size(), 1u);
}

TEST_F(Jobs, WhatDoesNotExistIsSaid) {
  EXPECT_ERROR(jobs().get(99), Code::not_found, "no job 99");
  EXPECT_ERROR(jobs().cancel(99, "tester"), Code::not_found, "no job 99");
  EXPECT_ERROR(jobs().enqueue({.name = "nobody"}), Code::not_found, "nobody");
  EXPECT_ERROR(jobs().enqueue({}), Code::invalid, "name of a concept");
}

TEST_F(Jobs, EveryWordReadsBack) {
  for (const JobState state :
       {JobState::queued, JobState::running, JobState::done, JobState::failed, JobState::cancelled})
    EXPECT_EQ(job_state_from_string(to_string(state)), state);
  for (const JobKind kind : {JobKind::learn, JobKind::consolidate, JobKind::evaluate, JobKind::import})
    EXPECT_EQ(job_kind_from_string(to_string(kind)), kind);
  EXPECT_ERROR(job_state_from_string("sleeping"), Code::invalid, "queued, running");
}

TEST_F(Jobs, KeepTheNewestCheckpointUntilTheyAreOver) {
  const auto id = add("a").job.id;
  EXPECT_EQ(jobs().checkpoint(id), "");
  const Job job = *jobs().lease_next("w", 60);
  jobs().keep_checkpoint(id, job.fence, "step 10");
  jobs().keep_checkpoint(id, job.fence, "step 20");
  reopen();
  jobs().requeue_expired(true);
  EXPECT_EQ(jobs().checkpoint(id), "step 20");
  EXPECT_ERROR(jobs().keep_checkpoint(id, job.fence, "step 21"), Code::conflict, "not running");
  const Job again = *jobs().lease_next("w", 60);
  EXPECT_ERROR(jobs().keep_checkpoint(id, job.fence, "step 21"), Code::conflict, "leased again");
  EXPECT_ERROR(jobs().keep_checkpoint(id, again.fence, std::string(JobQueue::kCheckpointBytesMax + 1, 'x')),
               Code::exhausted, "bytes");
  EXPECT_EQ(jobs().checkpoint(id), "step 20");
  jobs().cancel(id, "tester");
  EXPECT_EQ(jobs().checkpoint(id), "");
  EXPECT_TRUE(registry().verify().empty());
}

TEST_F(Jobs, AreDoneWithTheirCheckpointHoweverTheyEnd) {
  for (const std::string how : {"complete", "fail"}) {
    const auto id = add(how).job.id;
    const Job job = *jobs().lease_next("w", 60);
    jobs().keep_checkpoint(id, job.fence, "half-way");
    if (how == "complete") jobs().complete(id, job.fence);
    if (how == "fail") jobs().fail(id, job.fence, Code::invalid, "no", false);
    EXPECT_EQ(jobs().checkpoint(id), "") << how;
  }
}

TEST_F(Jobs, CountAttemptsFromTheLastCheckpoint) {
  const auto id = add("a").job.id;
  for (int death = 0; death < 10; ++death) {  // each time a little further
    const Job job = *jobs().lease_next("w", 60);
    jobs().keep_checkpoint(id, job.fence, std::to_string(death));
    EXPECT_EQ(jobs().fail(id, job.fence, Code::unavailable, "killed", true), JobState::queued) << death;
  }
  for (int death = 0; death < 2; ++death)  // no further any more; one attempt is counted already
    jobs().fail(id, jobs().lease_next("w", 60)->fence, Code::unavailable, "killed", true);
  EXPECT_EQ(jobs().get(id).state, JobState::failed);
}

TEST_F(Jobs, AreNotGivenWhileLearningIsPaused) {
  const auto id = add("a").job.id;
  jobs().pause(clock_.now() + 3600s, "tester", "a demonstration");
  EXPECT_EQ(jobs().lease_next("w", 60), std::nullopt);
  reopen();
  ASSERT_TRUE(jobs().paused());
  EXPECT_EQ(jobs().paused()->reason, "a demonstration");
  EXPECT_EQ(jobs().paused()->until, clock_.now() + 3600s);
  EXPECT_EQ(jobs().lease_next("w", 60, {.urgent_only = true}), std::nullopt) << "not even urgent ones";
  clock_.advance(3600s);
  EXPECT_FALSE(jobs().paused());
  EXPECT_EQ(jobs().lease_next("w", 60)->id, id);
  jobs().pause({}, "tester", "");
  clock_.advance(24h * 365);
  EXPECT_TRUE(jobs().paused());
  EXPECT_TRUE(jobs().resume("tester"));
  EXPECT_FALSE(jobs().resume("tester"));
  EXPECT_ERROR(jobs().pause(clock_.now(), "tester", ""), Code::invalid, "later");
  EXPECT_EQ(registry().audit("learning").size(), 3u);
}

}  // namespace
}  // namespace conceptd::registry::test
