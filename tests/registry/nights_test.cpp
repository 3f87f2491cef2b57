// Goal: a night is one row with its steps, what it learns becomes one state or is said to be left, and what it measures
// is held against the first measure.
#include "registry/night_store.h"

#include <cmath>

#include <set>

#include "registry/sqlite.h"
#include "tests/registry/registry_fixture.h"

namespace conceptd::registry::test {
namespace {

class Nights : public RegistryTest {
 protected:
  Nights() { reopen(); }
  NightStore& nights() { return registry().nights(); }
  Night begin(const std::string& date = "2026-11-23", NightCause cause = NightCause::window) {
    return nights().begin(
        {.date = date, .cause = cause, .actor = "conceptd", .until = clock_.now() + 5h, .steps = {"learn", "gc"}});
  }
  void end(std::int64_t id) {
    registry().publish_night(id, {}, "conceptd");
    nights().end(id, NightState::done, "", "conceptd");
  }
  // A job of this concept, learnt for this night.
  Committed learn_for(std::int64_t night, const std::string& name, const std::string& delta,
                      Verdict verdict = Verdict::accepted, std::optional<int> parent = {}) {
    registry().jobs().enqueue({.name = name, .requested_by = "tester"});
    const Job job = *registry().jobs().lease_next("worker", 60);
    CommitRequest request{.job = job.id,
                          .fence = job.fence,
                          .version = result_for(name, delta, verdict),
                          .expected_head = registry().head()->id,
                          .actor = "worker",
                          .reason = "learnt",
                          .night = night};
    request.version.parent = parent;
    return std::get<Committed>(registry().commit_learned(request));
  }
  // Without its job.
  void know(const std::string& name) { registry().jobs().cancel(add(name).job.id, "tester"); }
  static std::string outcome(const NightPublished& done, const std::string& name, int version) {
    for (const NightLearnt& item : done.learnt)
      if (item.name == name && item.version == version) return item.outcome + ": " + item.reason;
    return "none";
  }
  NightMeasure measure_of(std::int64_t night, const std::string& name, const std::string& pictures) {
    const StateEntry& entry = registry().head()->entries.find(name)->second;
    return {.night = night,
            .name = name,
            .version = entry.version,
            .delta = entry.delta,
            .pictures = Digest::of(pictures),
            .count = 8,
            .conditions = "here",
            .identity = .5,
            .fidelity = .6,
            .seconds = 1};
  }
};

TEST_F(Nights, OneRunsAtATimeAndOneADate) {
  const Night night = begin();
  EXPECT_EQ(night.state, NightState::running);
  ASSERT_EQ(night.steps.size(), 2u);
  EXPECT_EQ(night.steps[1].name, "gc");
  EXPECT_ERROR(begin("2026-11-24"), Code::busy, "night 1 is running");
  end(night.id);
  EXPECT_ERROR(begin(), Code::conflict, "was held already");
  EXPECT_ERROR(begin("2026-11-23", NightCause::catch_up), Code::conflict, "was held already");
  EXPECT_NO_THROW(end(begin("2026-11-23", NightCause::asked).id)) << "as often as somebody asks";
  EXPECT_TRUE(nights().was_held("2026-11-23"));
  EXPECT_FALSE(nights().was_held("2026-11-24"));
  EXPECT_EQ(nights().of_date("2026-11-23")->id, 2);
  EXPECT_EQ(nights().list(10).front().id, 2);
}

TEST_F(Nights, StepsOutliveTheProcess) {
  const Night night = begin();
  nights().set_step(night.id, {.name = "learn", .state = StepState::done, .seconds = 2, .detail = {{"a", 1}}});
  nights().set_step(night.id, {.name = "gc", .state = StepState::running, .message = "half"});
  EXPECT_ERROR(nights().set_step(night.id, {.name = "other"}), Code::not_found, "no step 'other'");
  reopen();
  const Night again = *nights().running();
  EXPECT_EQ(again.steps[0].state, StepState::done);
  EXPECT_EQ(again.steps[0].detail, (Json{{"a", 1}}));
  EXPECT_EQ(again.steps[1].message, "half");
  EXPECT_ERROR(nights().end(night.id, NightState::done, "", "x"), Code::conflict, "has not decided what it publishes");
  end(night.id);
  EXPECT_ERROR(nights().set_step(night.id, {.name = "gc"}), Code::conflict, "is over");
  EXPECT_ERROR(registry().publish_night(night.id, {}, "x"), Code::conflict, "is over");
}

TEST_F(Nights, WhatOneLearnsIsOneState) {
  for (const char* name : {"a", "b", "c"}) know(name);
  const Night night = begin();
  const std::int64_t head = registry().head()->id;
  EXPECT_EQ(learn_for(night.id, "a", "delta a").night, night.id);
  learn_for(night.id, "b", "delta b");
  EXPECT_EQ(learn_for(night.id, "c", "delta c", Verdict::rejected).night, std::nullopt);
  EXPECT_EQ(registry().head()->id, head) << "nothing is published one by one";
  EXPECT_EQ(nights().keeper_of("a", 1), night.id);
  EXPECT_EQ(registry().after_night(night.id).entries.size(), 2u);

  const NightPublished done = registry().publish_night(night.id, {}, "conceptd");
  EXPECT_TRUE(done.moved);
  EXPECT_EQ(registry().head()->id, head + 1);
  EXPECT_EQ(registry().head()->entries.size(), 2u);
  EXPECT_EQ(outcome(done, "c", 1), "refused: identity 0.2 is below 0.5");
  EXPECT_EQ(nights().keeper_of("a", 1), std::nullopt);
  EXPECT_EQ(registry().publish_night(night.id, {}, "conceptd").state->id, head + 1) << "asked again, it answers again";
  EXPECT_EQ(registry().head()->id, head + 1);
  EXPECT_EQ(nights().get(night.id).state_after, head + 1);

  registry().jobs().enqueue({.name = "a", .requested_by = "tester"});
  const Job late = *registry().jobs().lease_next("worker", 60);
  CommitRequest request{.job = late.id,
                        .fence = late.fence,
                        .version = result_for("a", "delta a2"),
                        .expected_head = head + 1,
                        .actor = "worker",
                        .reason = "learnt",
                        .night = night.id};
  request.version.parent = 1;
  const auto committed = std::get<Committed>(registry().commit_learned(request));
  EXPECT_EQ(committed.night, std::nullopt) << "the night has decided: it is published at once";
  EXPECT_EQ(committed.state->id, head + 2);
}

TEST_F(Nights, LeaveWhatSomebodyElseDecided) {
  for (const char* name : {"pinned", "moved", "gone", "twice"}) add_and_learn(name, std::string("first ") + name);
  const Night night = begin();
  learn_for(night.id, "pinned", "p2", Verdict::accepted, 1);
  learn_for(night.id, "moved", "m2", Verdict::accepted, 1);
  learn_for(night.id, "gone", "g2", Verdict::accepted, 1);
  learn_for(night.id, "twice", "t2", Verdict::accepted, 1);
  learn_for(night.id, "twice", "t3", Verdict::accepted, 1);
  registry().pin(name_of("pinned"), {}, "tester", "keep");
  relearn("moved", "m3");
  registry().remove(name_of("gone"), "tester", "");
  const NightPublished done = registry().publish_night(night.id, {}, "conceptd");
  EXPECT_EQ(outcome(done, "pinned", 2), "left: pinned at version 1");
  EXPECT_EQ(outcome(done, "moved", 2), "left: it was judged beside version 1, and version 3 is published since");
  EXPECT_EQ(outcome(done, "gone", 2), "left: the concept was removed");
  EXPECT_EQ(outcome(done, "twice", 2), "left: version 3 was learnt later in this night");
  EXPECT_EQ(outcome(done, "twice", 3), "published: ");
  EXPECT_EQ(live("moved"), 3);
  EXPECT_EQ(live("twice"), 3);
  end(night.id);
}

TEST_F(Nights, AConsolidatedDeltaIsKeptWithJustItsMap) {
  for (const char* name : {"a", "b"}) know(name);
  const Night first = begin();
  learn_for(first.id, "a", "delta a"), learn_for(first.id, "b", "delta b");
  const Consolidated all{.delta = registry().keep_consolidated("delta of all"),
                         .manifest = manifest_of(registry().after_night(first.id))};
  EXPECT_EQ(registry().publish_night(first.id, all, "conceptd").state->consolidated, all.delta);
  end(first.id);
  reopen();
  EXPECT_EQ(registry().head()->consolidated, all.delta);
  EXPECT_EQ(registry().delta(all.delta), "delta of all");
  registry().gc({.keep_states = 1, .older_than = 0ms}, "tester");
  EXPECT_EQ(registry().delta(all.delta), "delta of all") << "the head has it";

  const Night second = begin("2026-11-24");
  learn_for(second.id, "a", "delta a2", Verdict::accepted, 1);
  EXPECT_TRUE(registry().is_consolidated(*registry().head()));
  const Consolidated other{.delta = registry().keep_consolidated("delta of others"), .manifest = all.manifest};
  EXPECT_EQ(registry().publish_night(second.id, other, "conceptd").state->consolidated, all.delta)
      << "the new one was made of another map, and the old one may still speak for others";
  EXPECT_FALSE(registry().is_consolidated(*registry().head())) << "not of this state";
  end(second.id);
  registry().roll_back(name_of("a"), 1, "tester", "");
  EXPECT_TRUE(registry().is_consolidated(*registry().head())) << "of the same entries as then";
}

TEST_F(Nights, KeepFromGcWhatTheyMayPublish) {
  for (const char* name : {"a", "b"}) know(name);
  const Night night = begin();
  learn_for(night.id, "a", "delta a"), learn_for(night.id, "b", "delta b");
  const Consolidated all{.delta = registry().keep_consolidated("delta of all"),
                         .manifest = manifest_of(registry().after_night(night.id))};
  registry().gc({.keep_states = 1, .older_than = 0ms}, "tester");
  const NightPublished done = registry().publish_night(night.id, all, "conceptd");
  EXPECT_EQ(outcome(done, "a", 1), "published: ");
  EXPECT_EQ(done.state->consolidated, all.delta);
  EXPECT_EQ(registry().delta(all.delta), "delta of all");
  const Digest never = registry().keep_consolidated("delta that nobody published");
  registry().gc({.keep_states = 1, .older_than = 0ms}, "tester");
  EXPECT_THROW(registry().delta(never), Error) << "the night has decided";
  end(night.id);
}

TEST_F(Nights, MeasuresAreHeldAgainstTheFirst) {
  add_and_learn("a", "delta a");
  const Night first = begin();
  EXPECT_EQ(nights().keep_measure(measure_of(first.id, "a", "pictures")), "first");
  EXPECT_ERROR(nights().keep_measure(measure_of(first.id, "a", "pictures")), Code::conflict, "measured already");
  end(first.id);
  const Night second = begin("2026-11-24");
  EXPECT_EQ(nights().keep_measure(measure_of(second.id, "a", "pictures")), "same");
  end(second.id);
  const Night third = begin("2026-11-25");
  EXPECT_EQ(nights().keep_measure(measure_of(third.id, "a", "others")), "changed");
  NightMeasure bad = measure_of(third.id, "a", "x");
  bad.fidelity = std::nan("");
  EXPECT_ERROR(nights().keep_measure(bad), Code::invalid, "fidelity is not a number");
  end(third.id);
  const Night fourth = begin("2026-11-26");
  NightMeasure elsewhere = measure_of(fourth.id, "a", "others");
  elsewhere.conditions = "another machine";
  elsewhere.identity.reset();
  EXPECT_EQ(nights().keep_measure(elsewhere), "first") << "under other conditions other bytes are no change";
  end(fourth.id);
  const auto all = nights().measures(1, 4);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[2].outcome, "changed");
  EXPECT_EQ(all[3].identity, std::nullopt);
  EXPECT_EQ(nights().measures(2, 3).size(), 2u);
}

TEST_F(Nights, EveryByteIsHashedInTurn) {
  const Night night = begin();
  std::set<int> seen;
  for (int round = 0; round < 4; ++round) {
    const auto buckets = nights().oldest_buckets(64);
    ASSERT_EQ(buckets.size(), 64u);
    if (round < 3) {
      EXPECT_FALSE(nights().verified_since());
    }
    for (const int bucket : buckets) {
      EXPECT_TRUE(seen.insert(bucket).second) << "none twice before all";
      nights().note_verified(night.id, bucket);
    }
  }
  EXPECT_TRUE(nights().verified_since());
  end(night.id);
}

TEST_F(Nights, ADamagedDeltaIsFoundInItsBucketAlone) {
  add_and_learn("a", "delta a");
  const Digest digest = registry().head()->entries.find("a")->second.delta;
  registry_.reset();
  {
    Database database(folder_ / "data/registry.db");
    Transaction tx(database, Transaction::Kind::immediate, "damaging");
    tx.script("DROP TRIGGER delta_is_immutable");
    tx.run("UPDATE delta SET bytes = ? WHERE digest = ?", Blob{"delta b"}, digest);
    tx.commit();
  }
  reopen();
  const int bucket = static_cast<unsigned char>(digest.raw()[0]);
  for (int i = 0; i < 256; ++i) EXPECT_EQ(registry().verify_bucket(i).size(), i == bucket ? 1u : 0u) << i;
  EXPECT_ERROR(registry().verify_bucket(256), Code::invalid, "0 to 255");
  registry_.reset();  // it would not pass the fixture's own check
}

TEST_F(Nights, ABackupIsTakenAwayWhole) {
  add_and_learn("a", "delta a");
  const auto folder = folder_ / "data/backups";
  registry().back_up(folder / "night-2026-11-23-1", "tester");
  EXPECT_TRUE(registry().remove_backup("night-2026-11-23-1", "tester"));
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  EXPECT_FALSE(registry().remove_backup("night-2026-11-23-1", "tester"));
  for (const char* name : {"../data", "", "a/b", "x.tmp"})
    EXPECT_ERROR(registry().remove_backup(name, "tester"), Code::invalid, "no name of a backup");
  EXPECT_EQ(registry().audit({}, 1).front().action, "remove_backup");
}

}  // namespace
}  // namespace conceptd::registry::test
