#include "tests/registry/registry_fixture.h"

namespace conceptd::registry::test {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class States : public RegistryTest {
 protected:
  std::int64_t head() { return registry().head()->id; }
};

TEST_F(States, LearningEndsInOneStepJobVersionAndState) {
  const Committed committed = add_and_learn("kettle-7", "delta-1");
  EXPECT_EQ(committed.version.number, 1);
  EXPECT_TRUE(committed.version.live);
  EXPECT_EQ(committed.state, registry().head());
  EXPECT_EQ(registry().jobs().get(1).state, JobState::done);
  EXPECT_EQ(registry().jobs().get(1).result_version, 1);
  reopen();
  const StateEntry entry = registry().head()->entries.at("kettle-7");
  EXPECT_EQ(entry, (StateEntry{.version = 1,
                               .delta = Digest::of("delta-1"),
                               .class_word = "kettle",
                               .method = "perfusion",
                               .base_fingerprint = "base-1"}));
  EXPECT_EQ(registry().delta(entry.delta), "delta-1");
  const Version version = registry().version(name_of("kettle-7"), 1);
  EXPECT_EQ(version.seed, 0xfedcba9876543210u);
  EXPECT_EQ(version.settings, (Json{{"steps", 100}}));
  EXPECT_EQ(version.metrics, (Json{{"identity", 0.8}}));
  EXPECT_EQ(version.delta_bytes, 7);
  EXPECT_EQ(version.job, 1);
  EXPECT_THAT(version.photos, SizeIs(2));
  EXPECT_EQ(registry().preview(version.preview.value()), "png of delta-1");
  EXPECT_EQ(registry().show(name_of("kettle-7")).live_version, 1);
}

TEST_F(States, ARejectedVersionIsKeptWithItsReasonAndNobodyIsServedByIt) {
  add_and_learn("kettle-7", "delta-1");
  const Committed rejected = relearn("kettle-7", "delta-2", Verdict::rejected);
  EXPECT_EQ(rejected.version.number, 2);
  EXPECT_FALSE(rejected.version.published);
  EXPECT_EQ(rejected.state->id, 1);
  EXPECT_EQ(live("kettle-7"), 1);
  EXPECT_EQ(registry().jobs().get(2).state, JobState::done);
  EXPECT_ERROR(registry().publish(name_of("kettle-7"), 2, 1, "tester", ""), Code::invalid, "identity 0.2 is below 0.5");
  EXPECT_ERROR(registry().roll_back(name_of("kettle-7"), 2, "tester", ""), Code::invalid, "never published");
  EXPECT_EQ(relearn("kettle-7", "delta-3").version.number, 3) << "a number is never given twice";
}

TEST_F(States, ACommitAgainstAHeadThatMovedWritesNothing) {
  add("a");
  add("b");
  const Job a = *registry().jobs().lease_next("w", 60);
  const std::int64_t seen = head();
  learn_once(registry(), "b", "delta-b");
  CommitRequest request{.job = a.id, .fence = a.fence, .version = result_for("a", "delta-a"), .expected_head = seen};
  const CommitOutcome outcome = registry().commit_learned(request);
  ASSERT_TRUE(std::holds_alternative<Conflict>(outcome));
  EXPECT_EQ(std::get<Conflict>(outcome).head, registry().head());
  EXPECT_THAT(registry().history(name_of("a")), IsEmpty());
  EXPECT_EQ(registry().jobs().get(a.id).state, JobState::running);
  request.expected_head = head();
  ASSERT_TRUE(std::holds_alternative<Committed>(registry().commit_learned(request)));
  EXPECT_THAT(registry().head()->entries, SizeIs(2));
  EXPECT_ERROR(registry().commit_learned(request), Code::conflict, "is done, not running");
}

TEST_F(States, ACommitMustBeOfTheJobsOwnConcept) {
  add("a");
  add("b");
  const Job a = *registry().jobs().lease_next("w", 60);
  EXPECT_ERROR(registry().commit_learned({.job = a.id, .fence = a.fence, .version = result_for("b", "d")}),
               Code::invalid, "does not learn b");
}

TEST_F(States, StageThenPublishSaysConflictWhenTheHeadHasMoved) {
  add("a");
  const Version staged = registry().stage_version(result_for("a", "delta-1"), "importer");
  EXPECT_EQ(live("a"), 0);
  EXPECT_EQ(std::get<Conflict>(registry().publish(name_of("a"), 1, 41, "tester", "")).head->id, 0);
  const auto published = std::get<Published>(registry().publish(name_of("a"), staged.number, 0, "tester", "good"));
  EXPECT_EQ(published.state->id, 1);
  EXPECT_EQ(published.state->reason, "good");
  EXPECT_EQ(live("a"), 1);
  EXPECT_ERROR(registry().publish(name_of("a"), 9, 1, "tester", ""), Code::not_found, "a@9");
}

TEST_F(States, OneAreNumberedAndNeverChange) {
  add_and_learn("a", "delta-1");
  const State first = *registry().state(1);
  relearn("a", "delta-2");
  registry().roll_back(name_of("a"), 1, "tester", "worse");
  EXPECT_EQ(registry().state(1)->entries, first.entries);
  EXPECT_EQ(registry().state(1)->reason, first.reason);
  EXPECT_EQ(registry().state(3)->parent, 2);
  EXPECT_THAT(registry().states(), SizeIs(4));
  EXPECT_EQ(registry().states().front().id, 3);
  EXPECT_ERROR(registry().state(99), Code::not_found, "no state 99 (the newest is 3)");
}

TEST_F(States, AReaderKeepsItsStateWhateverHappensMeanwhile) {
  add_and_learn("a", "delta-1");
  const auto held = registry().head();
  relearn("a", "delta-2");
  registry().remove(name_of("a"), "tester", "");
  EXPECT_EQ(held->entries.at("a").version, 1);
  EXPECT_EQ(registry().delta(held->entries.at("a").delta), "delta-1");
}

TEST_F(States, RollingBackIsANewStateWithTheOldContent) {
  add_and_learn("a", "delta-1");
  relearn("a", "delta-2");
  const auto state = registry().roll_back(name_of("a"), std::nullopt, "tester", "it got worse");
  EXPECT_EQ(state->id, 3);
  EXPECT_EQ(state->entries, registry().state(1)->entries);
  EXPECT_EQ(state->reason, "it got worse");
  EXPECT_EQ(registry().roll_back(name_of("a"), 2, "tester", "no, it was fine")->entries, registry().state(2)->entries);
  EXPECT_EQ(relearn("a", "delta-3").version.number, 3);
}

TEST_F(States, RollingBackWithoutANumberSkipsWhatWasNeverPublished) {
  add_and_learn("a", "delta-1");
  relearn("a", "delta-2", Verdict::rejected);
  relearn("a", "delta-3");
  registry().roll_back(name_of("a"), std::nullopt, "tester", "");
  EXPECT_EQ(live("a"), 1);
  EXPECT_ERROR(registry().roll_back(name_of("a"), std::nullopt, "tester", ""), Code::not_found, "before version 1");
}

TEST_F(States, ARollbackThatMeansNothingIsSaid) {
  add("never");
  EXPECT_ERROR(registry().roll_back(name_of("never"), std::nullopt, "t", ""), Code::conflict,
               "not in the current state");
  registry().remove(name_of("never"), "t", "");
  add_and_learn("a", "delta-1");
  EXPECT_ERROR(registry().roll_back(name_of("a"), 1, "t", ""), Code::conflict, "at version 1 already");
  EXPECT_ERROR(registry().roll_back(name_of("a"), 7, "t", ""), Code::not_found, "a@7");
  EXPECT_ERROR(registry().roll_back(name_of("b"), 1, "t", ""), Code::not_found, "'b'");
  EXPECT_ERROR(registry().roll_back_state(1, "t", ""), Code::conflict, "already");
  EXPECT_ERROR(registry().roll_back_state(9, "t", ""), Code::not_found, "no state 9");
  EXPECT_EQ(head(), 1);
}

TEST_F(States, AWholeStateComesBackExceptWhatWasRemovedSince) {
  add_and_learn("a", "a-1");
  add_and_learn("b", "b-1");
  relearn("a", "a-2");
  registry().remove(name_of("b"), "tester", "");
  const auto state = registry().roll_back_state(2, "tester", "yesterday was better");
  EXPECT_EQ(live("a"), 1);
  EXPECT_EQ(live("b"), 0);
  EXPECT_EQ(state->id, 5);
  EXPECT_EQ(registry().roll_back_state(0, "tester", "")->entries.size(), 0u);
  EXPECT_ERROR(registry().roll_back(name_of("a"), std::nullopt, "t", ""), Code::conflict, "not in the current state");
  registry().roll_back(name_of("a"), 2, "tester", "");
  EXPECT_EQ(live("a"), 2);
}

TEST_F(States, WhatAWholeStateTakesAwayDoesNotComeBackByWhatIsBeingLearnt) {
  add_and_learn("a", "a1");  // state 1
  add_and_learn("b", "b1");
  const Job queued = registry().jobs().enqueue({.name = "b", .requested_by = "tester"});
  registry().roll_back_state(1, "tester", "");
  EXPECT_EQ(live("b"), 0);
  EXPECT_EQ(registry().jobs().get(queued.id).state, JobState::cancelled);
  EXPECT_EQ(registry().audit({}, 1).at(0).detail.at("cancelled_jobs"), Json{queued.id});
  relearn("b", "b2");
  EXPECT_EQ(live("b"), 2) << "until somebody asks for it again";
}

TEST_F(States, VersionsAreFoundByNumberAndListedNewestFirst) {
  add_and_learn("a", "delta-1");
  relearn("a", "delta-2");
  const auto history = registry().history(name_of("a"));
  ASSERT_THAT(history, SizeIs(2));
  EXPECT_EQ(history[0].number, 2);
  EXPECT_TRUE(history[0].live);
  EXPECT_TRUE(history[1].published);
  EXPECT_FALSE(history[1].live);
  EXPECT_ERROR(registry().version(name_of("a"), 3), Code::not_found, "no version 3 (the newest is 2)");
  add("b");
  EXPECT_ERROR(registry().version(name_of("b"), 1), Code::not_found, "not been learnt yet");
}

TEST_F(States, TheSameDeltaTwiceIsStoredOnce) {
  add_and_learn("a", "delta");
  relearn("a", "delta");
  EXPECT_EQ(registry().counts().versions, 2);
  EXPECT_EQ(registry().counts().delta_bytes, 5);
}

TEST_F(States, AVersionMustBeWhole) {
  add("a");
  NewVersion version = result_for("a", "");
  EXPECT_ERROR(registry().stage_version(version, "t"), Code::invalid, "needs a delta");
  version = result_for("a", "d");
  version.method = "";
  EXPECT_ERROR(registry().stage_version(version, "t"), Code::invalid, "method");
  version = result_for("a", std::string((64u << 20) + 1, 'x'));
  EXPECT_ERROR(registry().stage_version(version, "t"), Code::exhausted, "over the limit");
  EXPECT_ERROR(registry().delta(Digest::of("never")), Code::not_found, "no delta");
}

}  // namespace
}  // namespace conceptd::registry::test
