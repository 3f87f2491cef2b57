// Goal: versions leave with all that is known of them and come in all or none, staged, beside what is here and never
// instead of it.
#include "registry/exchange.h"

#include "registry/answer_store.h"
#include "tests/registry/registry_fixture.h"

namespace conceptd::registry::test {
namespace {

using testing::Contains;
using testing::IsEmpty;

ImportedVersion incoming(const std::string& name, const std::string& delta, Verdict verdict = Verdict::accepted) {
  ImportedVersion item{.version = result_for(name, delta, verdict), .class_word = "kettle"};
  item.version.preview_png.clear();
  item.photos = {Digest::of("a photo that is not here")};
  item.origin = {{"name", "theirs"}, {"version", 7}};
  return item;
}

ImportRequest pack_of(std::vector<ImportedVersion> versions) {
  return {
      .versions = std::move(versions), .pack = Digest::of("a pack"), .signer = std::string(64, 'a'), .actor = "tester"};
}

class Exchange : public RegistryTest {
 protected:
  Version import(const std::string& name, const std::string& delta, Verdict verdict = Verdict::accepted) {
    return registry().import_versions(pack_of({incoming(name, delta, verdict)})).front();
  }
  // Refused, and nothing is written.
  void expect_refused(const ImportRequest& request, Code code, const std::string& says) {
    const auto rows = registry().audit().size(), names = registry().list(true).size();
    EXPECT_ERROR(registry().import_versions(request), code, says);
    EXPECT_EQ(registry().audit().size(), rows);
    EXPECT_EQ(registry().list(true).size(), names);
    EXPECT_EQ(registry().counts().versions, versions_);
  }
  std::int64_t versions_ = 0;
};

TEST_F(Exchange, WhatIsImportedIsStagedWithAllThatIsKnownOfIt) {
  const std::int64_t head = registry().head()->id;
  const Version imported = import("kettle-7", "delta 1");
  EXPECT_EQ(imported.number, 1);
  EXPECT_FALSE(imported.published);
  EXPECT_EQ(registry().head()->id, head) << "nobody is served by it yet";
  EXPECT_EQ(registry().delta(imported.delta), "delta 1");
  EXPECT_EQ(imported.seed, 0xfedcba9876543210u);
  EXPECT_EQ(imported.metrics, Json({{"identity", 0.8}}));
  EXPECT_EQ(imported.photos, std::vector{Digest::of("a photo that is not here")});
  EXPECT_EQ(imported.origin, Json({{"name", "theirs"}, {"version", 7}}));
  reopen();
  const ConceptRecord record = registry().show(name_of("kettle-7"));
  EXPECT_TRUE(record.imported);
  EXPECT_THAT(record.photos, IsEmpty());
  EXPECT_EQ(registry().version(name_of("kettle-7"), 1).origin, imported.origin);
  const AuditRow row = registry().audit("kettle-7").front();
  EXPECT_EQ(row.action, "import");
  EXPECT_EQ(row.detail["pack"], Digest::of("a pack").hex());
  EXPECT_EQ(row.detail["signer"], std::string(64, 'a'));
  EXPECT_EQ(row.detail["origin"]["version"], 7);
}

TEST_F(Exchange, WhatIsImportedLivesAsTheOthersDo) {
  import("kettle-7", "delta 1");
  registry().promote(name_of("kettle-7"), 1, false, "tester", "");
  EXPECT_EQ(live("kettle-7"), 1);
  EXPECT_EQ(import("kettle-7", "delta 2").number, 2);
  EXPECT_EQ(live("kettle-7"), 1) << "an import never takes the place of what is published";
  registry().promote(name_of("kettle-7"), 2, false, "tester", "");
  registry().roll_back(name_of("kettle-7"), std::nullopt, "tester", "worse");
  EXPECT_EQ(live("kettle-7"), 1);
  registry().remove(name_of("kettle-7"), "tester", "");
  EXPECT_THAT(registry().verify(), IsEmpty());
  registry().undelete(name_of("kettle-7"), "tester", "");
  EXPECT_EQ(live("kettle-7"), 1);
  const BackupReport backup = registry().back_up(folder_ / "data/backups/b", "tester");
  EXPECT_EQ(backup.versions, 2);
  EXPECT_ERROR(registry().jobs().enqueue({.name = "kettle-7", .requested_by = "tester"}), Code::conflict,
               "its photos are not here");
}

TEST_F(Exchange, ARejectedVersionStaysRejected) {
  import("kettle-7", "delta 1", Verdict::rejected);
  EXPECT_ERROR(registry().promote(name_of("kettle-7"), 1, false, "tester", ""), Code::invalid, "identity 0.2");
  registry().promote(name_of("kettle-7"), 1, true, "tester", "good enough here");
  EXPECT_EQ(live("kettle-7"), 1);
}

TEST_F(Exchange, NothingOfAPackIsTakenUnlessAllOfItCan) {
  add_and_learn("mine", "delta mine");
  import("theirs", "delta 1");
  versions_ = registry().counts().versions;
  ImportedVersion mug = incoming("theirs", "delta 2");
  mug.class_word = "mug";
  ImportedVersion empty = incoming("new", "");
  ImportedVersion nameless = incoming("new", "delta 9");
  nameless.class_word = "";
  const ImportedVersion good = incoming("good", "delta good");
  expect_refused(pack_of({good, incoming("mine", "delta 2")}), Code::conflict, "from photos of its own");
  expect_refused(pack_of({good, mug}), Code::conflict, "is a kettle here and a mug in the pack");
  expect_refused(pack_of({good, incoming("theirs", "delta 1")}), Code::conflict, "theirs@1 has the very same bytes");
  expect_refused(pack_of({good, good}), Code::conflict, "good@1 has the very same bytes");
  expect_refused(pack_of({good, empty}), Code::invalid, "needs a delta");
  expect_refused(pack_of({good, nameless}), Code::invalid, "class word");
  expect_refused(pack_of({}), Code::invalid, "no version");
  EXPECT_THAT(registry().names(), testing::Not(Contains("good")));
}

TEST_F(Exchange, ARemovedNameIsTakenAgainAndItsNumbersGoOn) {
  add_and_learn("kettle-7", "delta 1");
  registry().remove(name_of("kettle-7"), "tester", "");
  EXPECT_EQ(import("kettle-7", "delta 2").number, 2);
  EXPECT_THAT(registry().show(name_of("kettle-7")).photos, IsEmpty());
}

TEST_F(Exchange, WhatNobodyPromotedIsErasedInTimeAndCanBeImportedAgain) {
  import("kettle-7", "delta 1");
  clock_.advance(std::chrono::hours(24 * 40));
  EXPECT_EQ(registry().gc({}, "tester").versions.size(), 1u);
  EXPECT_TRUE(registry().version(name_of("kettle-7"), 1).erased_at);
  EXPECT_EQ(import("kettle-7", "delta 1").number, 2);
  EXPECT_EQ(registry().delta(Digest::of("delta 1")), "delta 1");
}

TEST_F(Exchange, WhatIsExportedIsWhatIsThere) {
  add_and_learn("kettle-7", "delta 1");
  relearn("kettle-7", "delta 2");
  registry().set_alias(name_of("kettle-7"), "print", 1, "tester");
  const auto exported =
      registry().export_versions({{name_of("kettle-7"), "live"}, {name_of("kettle-7"), "print"}}, "tester");
  ASSERT_EQ(exported.size(), 2u);
  EXPECT_EQ(exported[0].delta, "delta 2");
  EXPECT_EQ(exported[1].version.number, 1);
  EXPECT_EQ(exported[1].class_word, "kettle");
  EXPECT_EQ(registry().audit("kettle-7").front().action, "export");
  const auto rows = registry().audit().size();
  EXPECT_ERROR(registry().export_versions({{name_of("kettle-7"), "2"}, {name_of("kettle-7"), "live"}}, "tester"),
               Code::invalid, "named twice");
  EXPECT_ERROR(registry().export_versions({{name_of("kettle-8"), "live"}}, "tester"), Code::not_found, "kettle-7");
  EXPECT_ERROR(registry().export_versions({{name_of("kettle-7"), "9"}}, "tester"), Code::not_found, "9");
  EXPECT_ERROR(registry().export_versions({}, "tester"), Code::invalid, "at least one");
  EXPECT_EQ(registry().audit().size(), rows);
}

class Answers : public RegistryTest {
 protected:
  AnswerStore& answers() { return registry().answers(); }
  static KeyedRequest request(const std::string& key, const std::string& body = "{}",
                              const std::string& caller = "alice") {
    return {.caller = caller, .route = "POST /api/v1/concepts", .key = key, .body = Digest::of(body)};
  }
  void answer(const KeyedRequest& asked, const std::string& body) {
    ASSERT_FALSE(answers().begin(asked));
    answers().finish(asked, {.status = 201, .location = "/jobs/1", .body = body});
  }
};

TEST_F(Answers, AreGivenAgainAlsoAfterARestart) {
  answer(request("k"), "done");
  for (int i = 0; i < 2; ++i, reopen()) {
    const auto kept = answers().begin(request("k"));
    ASSERT_TRUE(kept);
    EXPECT_EQ(kept->status, 201);
    EXPECT_EQ(kept->location, "/jobs/1");
    EXPECT_EQ(kept->body, "done");
  }
}

TEST_F(Answers, BelongToOneCallerOneRouteAndOneBody) {
  answer(request("k"), "done");
  EXPECT_ERROR(answers().begin(request("k", "{\"a\":1}")), Code::invalid, "sent before with another request");
  EXPECT_FALSE(answers().begin(request("k", "{}", "bob")));
  KeyedRequest elsewhere = request("k");
  elsewhere.route = "POST /api/v1/gc";
  EXPECT_FALSE(answers().begin(elsewhere));
}

TEST_F(Answers, AreNotKnownWhileTheyAreMadeNorWhenTheyAreLost) {
  ASSERT_FALSE(answers().begin(request("k")));
  EXPECT_ERROR(answers().begin(request("k")), Code::busy, "still being done");
  reopen();  // as after a crash
  EXPECT_ERROR(answers().begin(request("k")), Code::conflict, "how it ended is not known");
  ASSERT_FALSE(answers().begin(request("l")));
  answers().lose(request("l"));
  EXPECT_ERROR(answers().begin(request("l")), Code::conflict, "how it ended is not known");
  ASSERT_FALSE(answers().begin(request("m")));
  answers().forget(request("m"));
  EXPECT_FALSE(answers().begin(request("m"))) << "what was refused may be tried again";
}

TEST_F(Answers, AreKeptForADay) {
  answer(request("k"), "done");
  clock_.advance(std::chrono::hours(24) - 1s);
  EXPECT_TRUE(answers().begin(request("k")));
  clock_.advance(1s);
  EXPECT_FALSE(answers().begin(request("k", "another body")));
}

TEST_F(Answers, AreBoundedInNumberAndSize) {
  answer(request("long"), std::string(AnswerStore::kAnswerBytesMax + 1, 'x'));
  EXPECT_FALSE(answers().begin(request("long"))) << "too long to be kept";
  answer(request("first", "{}", "bob"), "done");
  for (int i = 0; i < AnswerStore::kRowsPerCallerMax; ++i) ASSERT_FALSE(answers().begin(request(std::to_string(i))));
  ASSERT_FALSE(answers().begin(request("one more")));
  EXPECT_FALSE(answers().begin(request("0"))) << "the oldest of a caller made room";
  EXPECT_TRUE(answers().begin(request("first", "{}", "bob"))) << "of that caller only";
}

}  // namespace
}  // namespace conceptd::registry::test
