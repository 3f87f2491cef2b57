// Goal: what a person holds, names or brings back stays so whatever is learnt afterwards, and all of it can be read in
// the audit.
#include "tests/registry/registry_fixture.h"

namespace conceptd::registry::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class Pins : public RegistryTest {
 protected:
  std::int64_t head() { return registry().head()->id; }
  std::optional<int> pinned(const std::string& name) {
    const auto pin = registry().show(name_of(name)).pin;
    return pin ? std::optional(pin->version) : std::nullopt;
  }
  std::string last_action(const std::string& name) { return registry().audit(name, 1).at(0).action; }
};

TEST_F(Pins, WhatIsLearntOfAPinnedConceptIsKeptAndNotPublished) {
  add_and_learn("a", "delta-1");
  const Pin pin = registry().pin(name_of("a"), std::nullopt, "alice", "the one we print");
  EXPECT_EQ(pin.version, 1);
  EXPECT_EQ(last_action("a"), "pin");
  const Committed committed = relearn("a", "delta-2");
  EXPECT_TRUE(committed.held);
  EXPECT_FALSE(committed.version.published);
  EXPECT_EQ(committed.state->id, 1);
  EXPECT_EQ(live("a"), 1);
  EXPECT_EQ(registry().audit("a", 1).at(0).detail["held_by_pin"], 1);
  EXPECT_EQ(registry().delta(registry().version(name_of("a"), 2).delta), "delta-2");
  reopen();
  EXPECT_EQ(pinned("a"), 1);
  EXPECT_EQ(registry().show(name_of("a")).pin->reason, "the one we print");
  EXPECT_ERROR(registry().publish(name_of("a"), 2, head(), "night", ""), Code::conflict, "pinned at version 1");
  registry().unpin(name_of("a"), "alice", "done");
  EXPECT_FALSE(relearn("a", "delta-3").held);
  EXPECT_EQ(live("a"), 3);
  EXPECT_ERROR(registry().unpin(name_of("a"), "alice", ""), Code::conflict, "not pinned");
}

TEST_F(Pins, ApinnedConceptsJobDoesNotCareThatTheHeadMoved) {
  add_and_learn("a", "delta-1");
  registry().pin(name_of("a"), 1, "alice", "");
  registry().jobs().enqueue({.name = "a", .requested_by = "tester"});
  const Job job = *registry().jobs().lease_next("w", 60);
  add_and_learn("b", "delta-b");
  const CommitOutcome outcome = registry().commit_learned(
      {.job = job.id, .fence = job.fence, .version = result_for("a", "delta-2"), .expected_head = 1, .actor = "w"});
  EXPECT_TRUE(std::get<Committed>(outcome).held);
  EXPECT_EQ(head(), 2);
}

TEST_F(Pins, HoldWhatIsLiveAndNothingElse) {
  add("new");
  EXPECT_ERROR(registry().pin(name_of("new"), std::nullopt, "t", ""), Code::conflict, "nothing to hold");
  registry().remove(name_of("new"), "t", "");
  add_and_learn("a", "delta-1");
  relearn("a", "delta-2");
  EXPECT_ERROR(registry().pin(name_of("a"), 1, "t", ""), Code::conflict, "conceptctl rollback a --to 1");
  EXPECT_ERROR(registry().pin(name_of("a"), 7, "t", ""), Code::not_found, "the newest is 2");
  EXPECT_ERROR(registry().pin(name_of("b"), 1, "t", ""), Code::not_found, "'b'");
  EXPECT_EQ(pinned("a"), std::nullopt);
}

TEST_F(Pins, ARollbackPinsUnlessAskedNotTo) {
  add_and_learn("a", "delta-1");
  relearn("a", "delta-2");
  registry().roll_back(name_of("a"), std::nullopt, "alice", "worse");
  EXPECT_EQ(pinned("a"), 1);
  EXPECT_TRUE(relearn("a", "delta-3").held) << "the next night does not undo it";
  registry().roll_back(name_of("a"), 2, "alice", "", Pinning::leave_free);
  EXPECT_EQ(pinned("a"), std::nullopt);
  EXPECT_FALSE(relearn("a", "delta-4").held);
}

TEST_F(Pins, ARollbackOfEverythingPinsAllThatIsInIt) {
  add_and_learn("a", "a-1");
  add_and_learn("b", "b-1");
  relearn("a", "a-2");
  add_and_learn("c", "c-1");
  registry().pin(name_of("c"), 1, "t", "");
  registry().roll_back_state(2, "alice", "a bad night");
  EXPECT_EQ(pinned("a"), 1);
  EXPECT_EQ(pinned("b"), 1);
  EXPECT_EQ(pinned("c"), std::nullopt) << "it is not in that state";
  EXPECT_TRUE(relearn("a", "a-3").held);
  registry().roll_back_state(3, "alice", "", Pinning::leave_free);
  EXPECT_EQ(pinned("a"), std::nullopt) << "it has moved";
  EXPECT_EQ(pinned("b"), 1) << "it has not";
}

TEST_F(Pins, PromotePublishesWhatTheGateLetThroughAndWhatSomebodyAnswersFor) {
  add_and_learn("a", "delta-1");
  relearn("a", "delta-2", Verdict::rejected);
  const auto promote = [&](bool override_gate, const std::string& reason) {
    return registry().promote(name_of("a"), 2, override_gate, "alice", reason);
  };
  EXPECT_ERROR(promote(false, "I like it"), Code::invalid, "identity 0.2 is below 0.5");
  EXPECT_ERROR(promote(true, ""), Code::invalid, "says why");
  EXPECT_EQ(head(), 1);
  EXPECT_EQ(promote(true, "the measure is wrong here")->id, 2);
  EXPECT_EQ(live("a"), 2);
  const Version version = registry().version(name_of("a"), 2);
  EXPECT_EQ(version.verdict, Verdict::rejected) << "the verdict stays what it was";
  EXPECT_TRUE(version.overridden);
  EXPECT_EQ(registry().audit("a", 1).at(0).detail["overridden"], "identity 0.2 is below 0.5");
  EXPECT_ERROR(promote(true, "again"), Code::conflict, "live already");
  registry().roll_back(name_of("a"), 1, "alice", "");
  EXPECT_EQ(registry().roll_back(name_of("a"), 2, "alice", "")->entries.at("a").version, 2) << "it was published";
}

TEST_F(Pins, PromoteMovesThePinAlong) {
  add_and_learn("a", "delta-1");
  registry().pin(name_of("a"), 1, "t", "");
  relearn("a", "delta-2");
  registry().promote(name_of("a"), 2, false, "alice", "it is better");
  EXPECT_EQ(live("a"), 2);
  EXPECT_EQ(pinned("a"), 2);
}

TEST_F(Pins, AliasesNameVersionsOfOneConcept) {
  add_and_learn("a", "delta-1");
  relearn("a", "delta-2");
  registry().set_alias(name_of("a"), "print", 1, "alice");
  EXPECT_EQ(registry().resolve(name_of("a"), "print"), 1);
  EXPECT_EQ(registry().resolve(name_of("a"), "live"), 2);
  EXPECT_EQ(registry().resolve(name_of("a"), "previous"), 1);
  EXPECT_EQ(registry().resolve(name_of("a"), "2"), 2);
  EXPECT_ERROR(registry().resolve(name_of("a"), "prnt"), Code::not_found, "it has print");
  EXPECT_ERROR(registry().resolve(name_of("a"), "-1"), Code::invalid, "number from 1 on");
  registry().set_alias(name_of("a"), "print", 2, "bob");
  reopen();
  const auto aliases = registry().aliases(name_of("a"));
  ASSERT_THAT(aliases, SizeIs(1));
  EXPECT_EQ(aliases[0].version, 2);
  EXPECT_EQ(aliases[0].actor, "bob");
  EXPECT_EQ(registry().audit("a", 1).at(0).detail["from_version"], 1);
  EXPECT_ERROR(registry().set_alias(name_of("a"), "live", 1, "t"), Code::invalid, "registry itself");
  EXPECT_ERROR(registry().set_alias(name_of("a"), "x", 9, "t"), Code::not_found, "the newest is 2");
  registry().remove_alias(name_of("a"), "print", "alice");
  EXPECT_ERROR(registry().remove_alias(name_of("a"), "print", "alice"), Code::not_found, "no alias 'print'");
  EXPECT_THAT(registry().aliases(name_of("a")), IsEmpty());
}

TEST_F(Pins, AliasesAreBounded) {
  add_and_learn("a", "delta-1");
  for (int i = 0; i < 100; ++i) registry().set_alias(name_of("a"), "x" + std::to_string(i), 1, "t");
  EXPECT_ERROR(registry().set_alias(name_of("a"), "one-more", 1, "t"), Code::exhausted, "100 aliases");
  registry().set_alias(name_of("a"), "x7", 1, "t");
}

TEST_F(Pins, DifferencesOfVersionsAndOfStates) {
  add_and_learn("a", "delta-1");
  relearn("a", "delta-2", Verdict::rejected);
  const auto fields = [](const std::vector<Change>& changes) {
    std::vector<std::string> names;
    for (const Change& change : changes) names.push_back(change.field);
    return names;
  };
  const auto changes = registry().diff(name_of("a"), 1, 2);
  EXPECT_THAT(fields(changes), ElementsAre("delta", "verdict", "verdict_reason"));
  EXPECT_EQ(changes[1].from, "accepted");
  EXPECT_EQ(changes[1].to, "rejected");
  EXPECT_THAT(registry().diff(name_of("a"), 2, 2), IsEmpty());
  EXPECT_ERROR(registry().diff(name_of("a"), 1, 3), Code::not_found, "the newest is 2");
  add_and_learn("b", "delta-b");
  relearn("a", "delta-3");
  const auto states = registry().diff_states(1, 3);
  EXPECT_THAT(fields(states), ElementsAre("a", "b"));
  EXPECT_EQ(states[0].from, 1);
  EXPECT_EQ(states[0].to, 3);
  EXPECT_TRUE(states[1].from.is_null());
  EXPECT_ERROR(registry().diff_states(1, 9), Code::not_found, "no state 9");
}

TEST_F(Pins, WhatWasRemovedComesBackAsItStood) {
  add_and_learn("a", "delta-1");
  relearn("a", "delta-2");
  registry().roll_back(name_of("a"), 1, "t", "");
  const auto before = registry().head()->entries;
  EXPECT_ERROR(registry().undelete(name_of("a"), "t", ""), Code::conflict, "not removed");
  registry().remove(name_of("a"), "t", "a mistake");
  EXPECT_ERROR(registry().show(name_of("a")), Code::not_found, "conceptctl undelete a");
  EXPECT_EQ(registry().undelete(name_of("a"), "alice", "it was")->entries, before);
  EXPECT_EQ(pinned("a"), std::nullopt) << "its pin went when it did";
  EXPECT_THAT(registry().show(name_of("a")).photos, SizeIs(2));
  EXPECT_EQ(relearn("a", "delta-3").version.number, 3);
  EXPECT_ERROR(registry().undelete(name_of("b"), "t", ""), Code::not_found, "'b'");
}

TEST_F(Pins, WhatWasNeverPublishedComesBackUnpublished) {
  add("a");
  registry().remove(name_of("a"), "t", "");
  EXPECT_EQ(registry().undelete(name_of("a"), "t", "")->id, 0);
  EXPECT_FALSE(registry().show(name_of("a")).live_version);
}

}  // namespace
}  // namespace conceptd::registry::test
