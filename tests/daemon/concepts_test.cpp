// Goal: the main job, from photos to pictures and back by a rollback, and that what is refused leaves no trace.
#include "tests/daemon/daemon_fixture.h"

namespace conceptd::daemon::test {
namespace {

class Concepts : public DaemonTest {};

TEST_F(Concepts, AreAddedLearntAskedForAndRolledBack) {
  start();
  add_and_learn("kettle-7");
  EXPECT_EQ(show("kettle-7").summary.status, "live");
  EXPECT_EQ(show("kettle-7").photos.size(), 3u);
  EXPECT_EQ(show("kettle-7").live->metrics["loss_last"], 0.25);
  const api::GenerateResponse first = generate("a <kettle-7> on the beach");
  ASSERT_EQ(first.images.size(), 1u);
  EXPECT_EQ(first.state, 1);
  ASSERT_EQ(first.concepts.size(), 1u);
  EXPECT_EQ(first.concepts[0].version, 1);
  EXPECT_EQ(first.images[0].seed, 42);
  EXPECT_TRUE(first.warnings.empty());

  EXPECT_EQ(learn_again("kettle-7", 2).result_version, 2);
  const api::GenerateResponse second = generate("a <kettle-7> on the beach");
  EXPECT_EQ(second.state, 2);
  EXPECT_NE(second.images[0].png.data, first.images[0].png.data);
  EXPECT_EQ(picture::decode(generate("a <kettle-7@1> on the beach").images[0].png.data),
            picture::decode(first.images[0].png.data))
      << "a version that is not live can still be named";

  const auto back = api::decode_answer<api::RolledBack>(
      client().post("concepts/kettle-7/rollback", api::encode(api::RollBack{.reason = "worse"})));
  EXPECT_EQ(back.from, 2);
  EXPECT_EQ(back.to, 1);
  const api::GenerateResponse third = generate("a <kettle-7> on the beach");
  EXPECT_EQ(third.state, 3);
  EXPECT_EQ(picture::decode(third.images[0].png.data), picture::decode(first.images[0].png.data));
  const auto history = api::decode_answer<api::History>(client().get("concepts/kettle-7/history"));
  ASSERT_EQ(history.versions.size(), 2u);
  EXPECT_EQ(history.versions[0].number, 2);
  EXPECT_TRUE(history.versions[1].live);
}

TEST_F(Concepts, APictureSaysHowItWasMade) {
  start();
  add_and_learn("kettle-7");
  const api::GenerateResponse answer = generate("a <kettle-7@1> at night", 7);
  const api::Provenance provenance = api::provenance_from(picture::read_png_texts(answer.images[0].png.data));
  EXPECT_EQ(provenance.prompt, "a <kettle-7@1> at night");
  EXPECT_EQ(provenance.seed, 7);
  EXPECT_EQ(provenance.state, 1);
  EXPECT_EQ(provenance.base_fingerprint, Digest::of("fake base").hex());
  ASSERT_EQ(provenance.concepts.size(), 1u);
  EXPECT_EQ(provenance.concepts[0].digest, Digest::of("delta:kettle-7:1:3").tagged());
}

TEST_F(Concepts, SeveralStandInOnePicture) {
  start();
  add_and_learn("kettle-7");
  add_and_learn("mug-2");
  const api::GenerateResponse both = generate("a <kettle-7> and a <mug-2>");
  EXPECT_EQ(both.concepts.size(), 2u);
  EXPECT_EQ(both.state, 2);
  EXPECT_EQ(status().counts.concepts, 2);
}

TEST_F(Concepts, AttentionGuidesOnlyWhereItIsAskedForAndTwoAreNamed) {
  start();
  for (const char* name : {"kettle-7", "mug-2"}) add_and_learn(name);
  const auto guided = [&](const std::string& prompt, const char* asked) {
    const auto answer = api::decode_answer<api::GenerateResponse>(
        client().post("generate", {{"prompt", prompt}, {"seed", 42}, {"concept_attention", asked}}));
    const std::string& png = answer.images[0].png.data;
    const bool said = api::provenance_from(picture::read_png_texts(png)).concept_attention == "auto";
    EXPECT_EQ(said, picture::decode(png) != picture::decode(generate(prompt).images[0].png.data));
    return said;
  };
  EXPECT_TRUE(guided("a <kettle-7> and a <mug-2>", "auto"));
  EXPECT_FALSE(guided("a <kettle-7> and a <mug-2>", "off"));
  EXPECT_FALSE(guided("a <kettle-7> at night", "auto"));
}

TEST_F(Concepts, WhatIsRefusedLeavesNoTrace) {
  start();
  add_and_learn("kettle-7");
  const Json before = api::encode(status().counts.photos == 3 ? show("kettle-7") : api::ConceptDetail{});
  const std::int64_t jobs = status().counts.jobs_done;
  const auto with = [](auto&& change) {
    api::AddConcept request = request_for("mug-2");
    change(request);
    return api::encode(request);
  };
  struct Case {
    Json body;
    int status;
    std::string field, says;
  };
  const Case cases[] = {
      {with([](auto& r) { r.class_word = "thingamajig"; }), 422, "class", "does not know 'thingamajig' as one word"},
      {with([](auto& r) { r.class_word = "tea kettle"; }), 422, "class", "as one word"},
      {with([](auto& r) { r.photos.clear(); }), 422, "photos", "there is none"},
      {with([](auto& r) { r.photos[1].data.data = "hello"; }), 422, "photos[1]", "1.png"},
      {with([](auto& r) { r.photos[2].data.data = photo(1, 63); }), 422, "photos[2]", "63x63"},
      {with([](auto& r) { r.photos[2].data.data.resize(80); }), 422, "photos[2]", "damaged"},
      {with([](auto& r) { r.photos[2] = r.photos[0]; }), 422, "photos[2]", ""},
      {with([](auto& r) { r.photos.resize(api::kPhotosMax + 1, r.photos[0]); }), 422, "photos", "at most 30"},
      {with([](auto& r) { r.name = "../etc"; }), 422, "name", "cannot be the name"},
      {with([](auto& r) { r.name = "kettle-7"; }), 409, "", "kettle-7"},
      {with([](auto& r) { r.method = "magic"; }), 422, "method", "there are fake, other"},
  };
  for (const Case& item : cases) {
    const auto [status_code, error] = refused("concepts", item.body);
    EXPECT_EQ(status_code, item.status) << error.message;
    EXPECT_THAT(error.message, HasSubstr(item.says));
    if (!item.field.empty()) {
      EXPECT_EQ(error.field, item.field) << error.message;
    }
  }
  EXPECT_EQ(api::encode(show("kettle-7")), before);
  EXPECT_EQ(status().counts.concepts, 1);
  EXPECT_EQ(status().counts.photos, 3);
  EXPECT_EQ(status().counts.jobs_queued + status().counts.jobs_running, 0);
  EXPECT_EQ(status().counts.jobs_done, jobs);
  EXPECT_EQ(status().state.id, 1);
}

TEST_F(Concepts, ADryRunChecksAllAndStoresNothing) {
  start();
  add_and_learn("kettle-7");
  api::AddConcept request = request_for("mug-2");
  request.steps = 7;
  request.dry_run = true;
  const cli::Reply reply = client().exchange("POST", "/api/v1/concepts", api::encode(request).dump(), 30s);
  EXPECT_EQ(reply.status, 200);
  const auto planned = api::decode_answer<api::Planned>(Json::parse(reply.body));
  EXPECT_EQ(planned.plan.name, "mug-2");
  EXPECT_EQ(planned.plan.class_word, "kettle");
  EXPECT_EQ(planned.plan.method, "fake");
  EXPECT_EQ(planned.plan.steps, 7);
  EXPECT_TRUE(planned.plan.typical_seconds);
  ASSERT_EQ(planned.plan.photos.size(), 3u);
  EXPECT_EQ(planned.plan.photos[1].digest, Digest::of(photo(50)).tagged());
  EXPECT_EQ(planned.plan.photos[1].width, 64);
  EXPECT_THAT(planned.warnings, testing::ElementsAre(HasSubstr("kettle-7 has these photos too")));
  request.name = "kettle-7";
  EXPECT_EQ(refused("concepts", api::encode(request)).first, 409);
  request.name = "mug-2";
  request.photos[2] = request.photos[0];
  EXPECT_EQ(refused("concepts", api::encode(request)).second.field, "photos[2]");
  EXPECT_EQ(status().counts.concepts, 1);
  EXPECT_EQ(status().counts.photos, 3);
  EXPECT_EQ(status().counts.jobs_queued + status().counts.jobs_running, 0);
}

TEST_F(Concepts, CaptionsAreKeptWithAWarningThatNothingLearnsFromThem) {
  start();
  api::AddConcept request = request_for("kettle-7");
  request.photos[0].caption = "";
  EXPECT_TRUE(api::decode_answer<api::Queued>(client().post("concepts", api::encode(request))).warnings.empty());
  request = request_for("mug-2");
  request.photos[1].caption = "a <mug-2> on a table";
  const auto queued = api::decode_answer<api::Queued>(client().post("concepts", api::encode(request)));
  EXPECT_THAT(queued.warnings, testing::Contains(HasSubstr("no method learns from captions yet")));
  EXPECT_EQ(show("mug-2").photos[1].caption, "a <mug-2> on a table");
}

TEST_F(Concepts, AnUnknownNameIsAnErrorWithNearMisses) {
  start();
  add_and_learn("kettle-7");
  const auto [prompt_status, prompt_error] = refused("generate", {{"prompt", "a <ketle-7> on the beach"}});
  EXPECT_EQ(prompt_status, 404);
  EXPECT_THAT(prompt_error.message, HasSubstr("did you mean kettle-7?"));
  EXPECT_EQ(prompt_error.suggestions, std::vector<std::string>{"<kettle-7>"});
  const auto [path_status, path_error] = refused("concepts/kettle-8/learn", Json::object());
  EXPECT_EQ(path_status, 404);
  EXPECT_EQ(path_error.suggestions, std::vector<std::string>{"kettle-7"});
  EXPECT_EQ(refused("generate", {{"prompt", "a <kettle-7@9>"}}).first, 404);
}

TEST_F(Concepts, AreNotAskedForBeforeTheyAreLearnt) {
  start();
  const std::int64_t id = add("slow", "other");
  const auto [code, error] = refused("generate", {{"prompt", "a <slow>"}});
  EXPECT_EQ(code, 409);
  EXPECT_THAT(error.message, HasSubstr("job " + std::to_string(id)));
}

TEST_F(Concepts, SurviveARestart) {
  start();
  add_and_learn("kettle-7");
  const api::GenerateResponse before = generate("a <kettle-7>");
  stop();
  start();
  EXPECT_EQ(generate("a <kettle-7>").images[0].png.data, before.images[0].png.data);
  EXPECT_EQ(status().state.id, 1);
  EXPECT_EQ(show("kettle-7").summary.status, "live");
}

TEST_F(Concepts, OneDataFolderHasOneDaemon) {
  start();
  Config other = config_;
  other.socket = folder_ / "other.sock";
  Daemon second(other, clock_, parts());
  EXPECT_ERROR(second.start(), Code::busy, "another conceptd");
  second.stop();
  EXPECT_EQ(status().counts.concepts, 0) << "the first goes on";
}

TEST_F(Concepts, StopWorksAfterAFailedStart) {
  plant(folder_ / "file", "not a folder");
  config_.socket = folder_ / "file/conceptd.sock";
  EXPECT_ERROR(start(), Code::unavailable, "listening on");
  stop();
  config_.socket = folder_ / "conceptd.sock";
  start();
  EXPECT_EQ(status().counts.concepts, 0);
}

}  // namespace
}  // namespace conceptd::daemon::test
