#include <fstream>

#include "core/file_io.h"
#include "tests/registry/registry_fixture.h"

namespace conceptd::registry::test {
namespace {

using Concepts = RegistryTest;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(Concepts, ANewRegistryIsEmptyAndPublishesTheEmptyState) {
  EXPECT_THAT(registry().list(), IsEmpty());
  EXPECT_EQ(registry().head()->id, 0);
  EXPECT_THAT(registry().head()->entries, IsEmpty());
  EXPECT_THAT(registry().audit(), SizeIs(1));
}

TEST_F(Concepts, AddKeepsWhatItWasGivenAndQueuesOneJob) {
  AddRequest request = request_for("kettle-7");
  request.photos[1].caption = "a photo of a <kettle-7> on a table";
  request.photos[0].width = 640;
  request.settings = {{"steps", 200}};
  request.urgent = true;
  const Added added = registry().add_concept(request);
  EXPECT_EQ(added.job.state, JobState::queued);
  EXPECT_EQ(added.job.queue_position, 1);
  EXPECT_EQ(added.job.settings, request.settings);
  EXPECT_TRUE(added.job.urgent);
  reopen();
  const ConceptRecord record = registry().show(name_of("kettle-7"));
  EXPECT_EQ(record.class_word, "kettle");
  EXPECT_EQ(record.created_by, "tester");
  EXPECT_EQ(record.created_at, clock_.now());
  EXPECT_EQ(record.active_job, added.job.id);
  EXPECT_EQ(record.live_version, std::nullopt);
  ASSERT_THAT(record.photos, SizeIs(2));
  EXPECT_EQ(record.photos[0].original_name, "photo0.png");
  EXPECT_EQ(record.photos[0].width, 640);
  EXPECT_EQ(record.photos[1].caption, "a photo of a <kettle-7> on a table");
  EXPECT_EQ(registry().photo(record.photos[1].digest), request.photos[1].bytes);
}

TEST_F(Concepts, ATakenNameIsAConflictThatChangesNothing) {
  add("kettle-7");
  const Counts before = registry().counts();
  AddRequest again = request_for("kettle-7", 1);
  again.photos[0].bytes = "another picture";
  EXPECT_ERROR(registry().add_concept(again), Code::conflict, "exists already");
  EXPECT_ERROR(registry().check_add(again), Code::conflict, "conceptctl learn kettle-7");
  EXPECT_EQ(registry().counts().photos, before.photos);
  EXPECT_EQ(registry().counts().jobs_queued, before.jobs_queued);
  EXPECT_FALSE(std::filesystem::exists(registry().photo_path(Digest::of("another picture"))));
}

TEST_F(Concepts, WhatIsWrongWithARequestIsNamedAndChangesNothing) {
  AddRequest request = request_for("kettle-7", 0);
  EXPECT_ERROR(registry().add_concept(request), Code::invalid, "at least one photo");
  request = request_for("kettle-7", 31);
  EXPECT_ERROR(registry().add_concept(request), Code::exhausted, "31 photos");
  request = request_for("kettle-7", 3);
  request.photos[2].bytes = request.photos[0].bytes;
  EXPECT_ERROR(registry().add_concept(request), Code::invalid,
               "photos[2] (photo2.png) is the same picture as photos[0]");
  request.photos[2].bytes.clear();
  EXPECT_ERROR(registry().add_concept(request), Code::invalid, "photos[2] (photo2.png) is empty");
  request = request_for("kettle-7");
  request.class_word = "";
  EXPECT_ERROR(registry().add_concept(request), Code::invalid, "class word");
  request = request_for("kettle-7");
  request.settings = Json::array();
  EXPECT_ERROR(registry().add_concept(request), Code::invalid, "JSON object");
  EXPECT_THAT(registry().list(), IsEmpty());
  EXPECT_EQ(registry().counts().photos, 0);
  EXPECT_EQ(registry().counts().jobs_queued, 0);
}

TEST_F(Concepts, TheSamePhotoUnderTwoNamesIsOneFile) {
  AddRequest one = request_for("one", 1), two = request_for("two", 1);
  two.photos[0].bytes = one.photos[0].bytes;
  registry().add_concept(one);
  registry().add_concept(two);
  EXPECT_EQ(registry().counts().photos, 1);
  EXPECT_EQ(registry().show(name_of("two")).photos[0].digest, registry().show(name_of("one")).photos[0].digest);
}

TEST_F(Concepts, AnUnknownNameNamesItsNeighbours) {
  add("kettle-7");
  EXPECT_ERROR(registry().show(name_of("ketle-7")), Code::not_found, "did you mean kettle-7?");
  EXPECT_ERROR(registry().history(name_of("ketle-7")), Code::not_found, "did you mean kettle-7?");
}

TEST_F(Concepts, ListIsByName) {
  add("mug");
  add("anchor");
  const auto records = registry().list();
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(records[0].name, "anchor");
  EXPECT_EQ(records[1].name, "mug");
  EXPECT_THAT(registry().names(), ElementsAre("anchor", "mug"));
}

TEST_F(Concepts, RemoveTakesItOutOfTheNextStateAndKeepsHistory) {
  add_and_learn("kettle-7", "delta-1");
  add_and_learn("mug", "delta-2");
  const auto before = registry().head();
  registry().jobs().enqueue({.name = "kettle-7", .requested_by = "tester"});
  const auto after = registry().remove(name_of("kettle-7"), "tester", "we no longer sell it");
  EXPECT_EQ(after->id, before->id + 1);
  EXPECT_FALSE(after->entries.contains("kettle-7"));
  EXPECT_TRUE(after->entries.contains("mug"));
  EXPECT_TRUE(registry().state(before->id)->entries.contains("kettle-7"));
  EXPECT_THAT(registry().names(), ElementsAre("mug"));
  EXPECT_THAT(registry().list(true), SizeIs(2));
  EXPECT_ERROR(registry().show(name_of("kettle-7")), Code::not_found, "was removed at");
  EXPECT_TRUE(registry().show(name_of("kettle-7"), true).removed_at);
  EXPECT_THAT(registry().history(name_of("kettle-7")), SizeIs(1));
  EXPECT_EQ(registry().counts().jobs_cancelled, 1);
  EXPECT_ERROR(registry().remove(name_of("kettle-7"), "tester", ""), Code::not_found, "was removed");
  EXPECT_ERROR(registry().jobs().enqueue({.name = "kettle-7"}), Code::not_found, "was removed");
}

TEST_F(Concepts, RemovingWhatWasNeverPublishedMakesNoState) {
  add("kettle-7");
  EXPECT_EQ(registry().remove(name_of("kettle-7"), "tester", "")->id, 0);
}

TEST_F(Concepts, ANameAddedAgainGoesOnCounting) {
  add_and_learn("kettle-7", "delta-1");
  registry().remove(name_of("kettle-7"), "tester", "");
  AddRequest again = request_for("kettle-7", 1);
  again.class_word = "teapot";
  again.photos[0].bytes = "a quite different picture";
  registry().add_concept(again);
  const Committed committed = learn_once(registry(), "kettle-7", "delta-2");
  EXPECT_EQ(committed.version.number, 2);
  EXPECT_EQ(registry().head()->entries.at("kettle-7").class_word, "teapot");
  EXPECT_EQ(registry().state(1)->entries.at("kettle-7").class_word, "kettle") << "history says what was then";
  EXPECT_EQ(committed.version.photos, std::vector<Digest>{Digest::of("a quite different picture")});
  EXPECT_THAT(registry().version(name_of("kettle-7"), 1).photos, SizeIs(2));
}

TEST_F(Concepts, ADamagedPhotoIsAnErrorAndAFaultNotAPicture) {
  const Digest digest = add("kettle-7").record.photos[0].digest;
  const std::string good = contents(registry().photo_path(digest));
  plant(registry().photo_path(digest), "rot");
  EXPECT_ERROR(registry().photo(digest), Code::corrupt, "damaged");
  EXPECT_THAT(registry().verify(), ElementsAre(testing::HasSubstr("missing or damaged")));
  plant(registry().photo_path(digest), good);
}

TEST_F(Concepts, OneProcessAtATime) {
  EXPECT_ERROR(Registry::open(folder_ / "data", clock_), Code::busy, "another conceptd");
  reopen();
}

TEST_F(Concepts, AFullDiskRefusesTheAddAndTheNextOneWorks) {
  std::string failing;
  set_durable_step_hook([&](const DurableStep& step) {
    if (step.kind == failing) throw Error(Code::unavailable, "disk full");
  });
  for (const char* kind : {"write", "fsync", "rename", "commit"}) {
    failing = kind;
    EXPECT_ERROR(add("kettle-7"), Code::unavailable, "disk full");
    failing.clear();
    EXPECT_THAT(registry().list(), IsEmpty()) << kind;
  }
  set_durable_step_hook({});
  add("kettle-7");
}

}  // namespace
}  // namespace conceptd::registry::test
