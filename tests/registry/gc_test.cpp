// Goal: gc erases what nothing reaches and nothing else; history stays readable, and says what was erased.
#include <atomic>
#include <thread>

#include "registry/sqlite.h"
#include "tests/registry/registry_fixture.h"

namespace conceptd::registry::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Gc : public RegistryTest {
 protected:
  // Keeps what the policy's roots keep and no more.
  GcReport gc(int keep_states = 1, bool dry_run = false) {
    return registry().gc({.keep_states = keep_states, .older_than = 0ms, .dry_run = dry_run}, "gardener");
  }
  std::vector<std::string> erased(const GcReport& report) {
    std::vector<std::string> names;
    for (const ErasedVersion& version : report.versions)
      names.push_back(version.name + "@" + std::to_string(version.number));
    return names;
  }
  bool has_bytes(const std::string& name, int number) {
    const Version version = registry().version(name_of(name), number);
    try {
      return Digest::of(registry().delta(version.delta)) == version.delta;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::not_found) << error.what();
      EXPECT_TRUE(version.erased_at);
      return false;
    }
  }
  void learn_often(const std::string& name, int versions) {
    add_and_learn(name, name + "-1");
    for (int i = 2; i <= versions; ++i) relearn(name, name + "-" + std::to_string(i));
  }
};

TEST_F(Gc, KeepsWhatIsLiveAndTheWayBackAndErasesTheRest) {
  learn_often("a", 5);
  const GcReport report = gc();
  EXPECT_THAT(erased(report), ElementsAre("a@1", "a@2", "a@3"));
  EXPECT_EQ(report.previews, 3);
  EXPECT_EQ(report.bytes, 3 * (3 + 10));
  EXPECT_TRUE(has_bytes("a", 5));
  EXPECT_TRUE(has_bytes("a", 4)) << "a rollback without a number must work";
  EXPECT_FALSE(has_bytes("a", 2));
  reopen();
  EXPECT_EQ(registry().roll_back(name_of("a"), std::nullopt, "t", "")->entries.at("a").version, 4);
}

TEST_F(Gc, HistoryStaysAndSaysWhatWasErased) {
  learn_often("a", 3);
  const auto states = registry().states().size();
  clock_.advance(24h);
  gc();
  const Version version = registry().version(name_of("a"), 1);
  EXPECT_EQ(version.erased_at, clock_.now());
  EXPECT_EQ(version.delta, Digest::of("a-1"));
  EXPECT_EQ(version.delta_bytes, 3) << "what it had";
  EXPECT_EQ(version.preview, std::nullopt);
  EXPECT_THAT(registry().history(name_of("a")), SizeIs(3));
  EXPECT_EQ(registry().states().size(), states);
  EXPECT_EQ(registry().state(1)->entries.at("a").version, 1) << "an old state still says what was live";
  EXPECT_EQ(registry().audit({}, 1).at(0).action, "gc");
  EXPECT_EQ(registry().audit({}, 1).at(0).detail["versions"], (Json{"a@1"}));
  EXPECT_EQ(registry().verify_audit_chain(), std::nullopt);
  EXPECT_EQ(relearn("a", "a-4").version.number, 4) << "a number is never given twice";
}

TEST_F(Gc, WhatWasErasedIsNoLongerInTheFile) {
  const std::filesystem::path file = folder_ / "data/registry.db";
  add_and_learn("a", "a very recognisable delta");
  relearn("a", "a-2");
  relearn("a", "a-3");
  reopen();
  EXPECT_THAT(contents(file), HasSubstr("very recognisable"));
  gc();
  registry_.reset();
  EXPECT_THAT(contents(file), testing::Not(HasSubstr("very recognisable")));
}

TEST_F(Gc, WhatWasErasedIsRefusedByName) {
  learn_often("a", 4);
  gc();
  EXPECT_ERROR(registry().roll_back(name_of("a"), 1, "t", ""), Code::conflict, "a@1 was erased by gc at");
  EXPECT_ERROR(registry().roll_back_state(1, "t", ""), Code::conflict, "a@1 was erased by gc");
  EXPECT_ERROR(registry().promote(name_of("a"), 1, true, "t", "why"), Code::conflict, "erased");
  EXPECT_ERROR(registry().set_alias(name_of("a"), "x", 1, "t"), Code::conflict, "erased");
  EXPECT_ERROR(registry().delta(Digest::of("a-1")), Code::not_found, "erased by gc");
}

TEST_F(Gc, PinsAliasesAndTheLastStatesAreKept) {
  learn_often("a", 6);
  registry().set_alias(name_of("a"), "print", 2, "t");
  registry().roll_back(name_of("a"), 3, "t", "");
  learn_often("b", 4);
  EXPECT_THAT(erased(gc(3)), ElementsAre("a@1", "a@4", "a@5", "a@6", "b@1"));
  EXPECT_TRUE(has_bytes("a", 2)) << "alias, and the way back";
  EXPECT_TRUE(has_bytes("a", 3)) << "pinned, and live";
  EXPECT_TRUE(has_bytes("b", 2)) << "in the last three states";
}

TEST_F(Gc, NothingYoungGoesNorWhatAJobIsLearningFrom) {
  learn_often("a", 4);
  clock_.advance(48h);
  relearn("a", "a-5", Verdict::rejected);
  const GcPolicy policy{.keep_states = 1, .older_than = 24h};
  registry().jobs().enqueue({.name = "a", .requested_by = "t"});
  const Job job = *registry().jobs().lease_next("w", 60);
  EXPECT_THAT(registry().gc(policy, "t").versions, IsEmpty()) << "it is being learnt";
  registry().jobs().complete(job.id, job.fence);
  EXPECT_THAT(erased(registry().gc(policy, "t")), ElementsAre("a@1", "a@2"));
  EXPECT_TRUE(has_bytes("a", 5)) << "a rejected one of today";
}

TEST_F(Gc, ADryRunSaysTheSameAndChangesNothing) {
  learn_often("a", 4);
  registry().remove(name_of("a"), "t", "");
  learn_often("b", 3);
  clock_.advance(24h);
  const auto rows = registry().audit({}, 1).at(0).id;
  const GcReport would = gc(1, true);
  EXPECT_EQ(registry().audit({}, 1).at(0).id, rows);
  EXPECT_TRUE(has_bytes("a", 1));
  EXPECT_TRUE(std::filesystem::exists(registry().photo_path(Digest::of("picture 0 of a"))));
  const GcReport did = gc();
  EXPECT_EQ(erased(would), erased(did));
  EXPECT_EQ(would.bytes, did.bytes);
  EXPECT_EQ(would.photos, did.photos);
  EXPECT_EQ(would.concepts, did.concepts);
  EXPECT_EQ(would.stray_files, did.stray_files);
  EXPECT_THAT(gc().versions, IsEmpty()) << "a second time there is nothing left";
}

TEST_F(Gc, PhotosOfARemovedConceptGoAfterTheirTimeAndOnlyThen) {
  add_and_learn("a", "a-1");
  AddRequest other = request_for("b", 1);
  other.photos[0].bytes = "picture 0 of a";  // shared
  registry().add_concept(other);
  learn_once(registry(), "b", "b-1");
  registry().remove(name_of("a"), "t", "");
  clock_.advance(23h);
  EXPECT_THAT(registry().gc({.older_than = 24h}, "t").concepts, IsEmpty());
  EXPECT_NO_THROW(registry().undelete(name_of("a"), "t", ""));
  registry().remove(name_of("a"), "t", "");
  clock_.advance(25h);
  const GcReport report = registry().gc({.older_than = 24h}, "t");
  EXPECT_THAT(report.concepts, ElementsAre("a"));
  EXPECT_EQ(report.photos, 1);
  EXPECT_FALSE(std::filesystem::exists(registry().photo_path(Digest::of("picture 1 of a"))));
  EXPECT_TRUE(std::filesystem::exists(registry().photo_path(Digest::of("picture 0 of a")))) << "b has it too";
  EXPECT_ERROR(registry().undelete(name_of("a"), "t", ""), Code::conflict, "photos of a were erased");
  registry().add_concept(request_for("a"));
  EXPECT_EQ(registry().photo(Digest::of("picture 1 of a")), "picture 1 of a") << "given again, it is there again";
}

TEST_F(Gc, BytesLearntAgainComeBack) {
  learn_often("a", 4);
  gc();
  EXPECT_FALSE(has_bytes("a", 1));
  relearn("a", "a-1");
  EXPECT_TRUE(has_bytes("a", 1));
  EXPECT_FALSE(registry().version(name_of("a"), 1).erased_at);
  EXPECT_TRUE(registry().version(name_of("a"), 1).preview);
}

TEST_F(Gc, FilesThatACrashLeftAreSwept) {
  add("a");
  const std::string bytes = "a photo whose row was never written";
  const std::filesystem::path stray = registry().photo_path(Digest::of(bytes));
  std::filesystem::create_directories(stray.parent_path());
  plant(stray, bytes);
  plant(folder_ / "data/photos/README", "somebody's note");
  EXPECT_EQ(gc(1, true).stray_files, 1);
  EXPECT_EQ(gc().stray_files, 1);
  EXPECT_FALSE(std::filesystem::exists(stray));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "data/photos/README"));
}

TEST_F(Gc, ErasesNothingFromADamagedStore) {
  learn_often("a", 4);
  registry_.reset();
  {
    Database database(folder_ / "data/registry.db");
    Transaction tx(database, Transaction::Kind::immediate, "tampering");
    tx.script("DROP TRIGGER delta_is_immutable");
    tx.run("UPDATE delta SET bytes = CAST('a-x' AS BLOB) WHERE digest = ?", Digest::of("a-4"));
    tx.commit();
  }
  registry_ = Registry::open(folder_ / "data", clock_);
  EXPECT_ERROR(gc(), Code::corrupt, "nothing is erased");
  EXPECT_TRUE(has_bytes("a", 1));
  EXPECT_THAT(registry().verify(), Contains(HasSubstr("is damaged")));
  registry_.reset();
}

TEST_F(Gc, APolicyMustMakeSense) {
  EXPECT_ERROR(registry().gc({.keep_states = 0}, "t"), Code::invalid, "at least one state");
  EXPECT_ERROR(registry().gc({.older_than = -1ms}, "t"), Code::invalid, "not negative");
}

TEST_F(Gc, AnAddThatMeetsGcKeepsItsPhotos) {
  // A photo's file is there before its row: gc may take it in between, and add looks again.
  std::atomic<bool> stop{false};
  std::jthread gardener([&] {
    while (!stop) registry().gc({.keep_states = 1, .older_than = 0ms}, "gardener");
  });
  for (int i = 0; i < 20; ++i) add("c" + std::to_string(i));
  stop = true;
  gardener.join();
  EXPECT_THAT(registry().verify(), IsEmpty());
}

}  // namespace
}  // namespace conceptd::registry::test
