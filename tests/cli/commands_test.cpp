// Goal: what a person types does what it says, and what goes wrong says what to do. Method: the real program, from its
// arguments to its output, against a server that answers what the test wants and remembers what it was asked.
#include "tests/cli/commands_fixture.h"

namespace conceptd::cli {
namespace {

TEST_F(Commands, AnUnknownOneIsNotGuessed) {
  const Ran ran = run({"genrate", "a cat"});
  EXPECT_EQ(ran.status, kExitUsage);
  EXPECT_THAT(ran.err, HasSubstr("did you mean generate?"));
  EXPECT_TRUE(asked_.empty());
}

TEST_F(Commands, HelpShowsExamples) {
  EXPECT_THAT(run({"--help"}).out, HasSubstr("conceptctl add kettle-7"));
  EXPECT_EQ(run({"--help"}).status, 0);
  EXPECT_EQ(run({}).status, kExitUsage);
  EXPECT_EQ(run({"add"}).status, kExitUsage);
  EXPECT_EQ(run({"list", "--colour"}).status, kExitUsage);
}

TEST_F(Commands, SayHowToStartADaemonThatIsNotThere) {
  std::ostringstream out, err;
  const std::string nowhere = (folder_ / "nowhere.sock").string();
  EXPECT_EQ(run_conceptctl({"list", "--socket", nowhere}, out, err), 3);
  EXPECT_THAT(err.str(), HasSubstr(nowhere));
  EXPECT_THAT(err.str(), HasSubstr("conceptd --data-dir"));
  EXPECT_EQ(run_conceptctl({"list", "--json", "--socket", nowhere}, out, err), 3);
  EXPECT_EQ(Json::parse(out.str())["error"]["code"], "unavailable");
}

TEST_F(Commands, AddSaysWhatItUnderstoodAndSendsThePhotos) {
  api::Queued queued{.job = job("queued")};
  answers_["POST /api/v1/concepts"] = {.status = 201, .body = api::encode(queued).dump()};
  plant_photo("a.png");
  plant_photo("b.png");
  const Ran ran = run({"add", "kettle-7", folder_.path().string(), "--class", "kettle", "--steps", "50"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("<kettle-7>"));
  EXPECT_THAT(ran.out, HasSubstr("class   kettle"));
  EXPECT_THAT(ran.out, HasSubstr("perfusion, 50 steps"));
  EXPECT_THAT(ran.out, HasSubstr("about 2 min 05 s"));
  EXPECT_THAT(ran.out, HasSubstr("64x48"));
  EXPECT_THAT(ran.out, HasSubstr("Queued as job 7"));
  const auto request = api::decode_request<api::AddConcept>(Json::parse(asked_["POST /api/v1/concepts"]));
  EXPECT_EQ(request.steps, 50);
  ASSERT_EQ(request.photos.size(), 2u);
  EXPECT_EQ(request.photos[1].name, "b.png");
  EXPECT_EQ(request.photos[1].data.data, test::contents(folder_ / "b.png"));
}

TEST_F(Commands, AddSendsNothingItCannotRead) {
  test::plant(folder_ / "text.jpg", "hello");
  const Ran text = run({"add", "kettle-7", (folder_ / "text.jpg").string(), "--class", "kettle"});
  EXPECT_EQ(text.status, 7);
  EXPECT_THAT(text.err, HasSubstr("text.jpg: it is something unknown; photos are PNG, JPEG or WebP"));
  EXPECT_EQ(run({"add", "kettle-7", "/nowhere.png", "--class", "kettle"}).status, 4);
  EXPECT_FALSE(asked_.contains("POST /api/v1/concepts"));
}

TEST_F(Commands, ADryRunSaysWhatTheDaemonUnderstood) {
  const api::Planned planned{
      .plan = {.name = "kettle-7",
               .class_word = "kettle",
               .method = "perfusion",
               .settings = api::Settings{{{"rate", 0.5}}},
               .photos = {{.media_type = "image/png", .name = "a.png", .width = 64, .height = 48}}},
      .warnings = {"careful"}};
  answers_["POST /api/v1/concepts"] = {.body = api::encode(planned).dump()};
  const std::vector<std::string> words{"add", "kettle-7", plant_photo("a.png"), "--class", "kettle", "-n"};
  const Ran ran = run(words);
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(Json::parse(asked_["POST /api/v1/concepts"])["dry_run"], true);
  EXPECT_THAT(ran.out, HasSubstr("perfusion, rate 0.5"));
  EXPECT_THAT(ran.out, HasSubstr("64x48"));
  EXPECT_THAT(ran.out, HasSubstr("Nothing was queued"));
  EXPECT_EQ(ran.err, "warning: careful\n");
  std::vector<std::string> json = words;
  json.emplace_back("--json");
  EXPECT_EQ(Json::parse(run(json).out), api::encode(planned));
  answers_.erase("POST /api/v1/concepts");
  EXPECT_EQ(run(words).status, 4) << "what the daemon refuses is refused";
}

TEST_F(Commands, SettingsOfTheMethodAreSetByName) {
  answers_["POST /api/v1/concepts/kettle-7/learn"] = {.status = 202,
                                                      .body = api::encode(api::Queued{.job = job("queued")}).dump()};
  answers_["POST /api/v1/concepts"] = answers_["POST /api/v1/concepts/kettle-7/learn"];
  EXPECT_EQ(run({"learn", "--set", "rate=0.005", "--set", "batch=4", "kettle-7"}).status, 0);
  const Json expected{{"rate", 0.005}, {"batch", 4}};
  EXPECT_EQ(Json::parse(asked_["POST /api/v1/concepts/kettle-7/learn"])["settings"], expected);
  const Ran added =
      run({"add", "--set", "rate=0.005", "kettle-7", plant_photo("a.png"), "--class", "kettle", "--set", "batch=4"});
  EXPECT_EQ(added.status, 0) << added.err;
  EXPECT_EQ(Json::parse(asked_["POST /api/v1/concepts"])["settings"], expected);
  asked_.clear();
  for (const char* wrong : {"rate", "=1", "rate=fast", "rate=", "rate=[1]"}) {
    const Ran ran = run({"learn", "kettle-7", "--set", wrong});
    EXPECT_EQ(ran.status, 7) << wrong;
    EXPECT_THAT(ran.err, HasSubstr(std::string("--set ") + wrong));
  }
  EXPECT_EQ(run({"learn", "kettle-7", "--set", "rate=1", "--set", "rate=2"}).status, 7);
  EXPECT_TRUE(asked_.empty());
}

TEST_F(Commands, ANameIsOnePartOfTheTargetWhateverItHolds) {
  run({"show", "My Mug"});
  run({"show", "x?y"});
  run({"history", "kettle/7"});
  run({"rollback", "100%", "--reason", "worse"});
  run({"learn", "caf\xc3\xa9"});
  run({"wait", "a#b"});
  std::vector<std::string> asked;
  for (const auto& [target, body] : asked_) asked.push_back(target);
  EXPECT_THAT(asked, testing::UnorderedElementsAre(
                         "GET /api/v1/concepts/My%20Mug", "GET /api/v1/concepts/x%3Fy",
                         "GET /api/v1/concepts/kettle%2F7/history", "POST /api/v1/concepts/100%25/rollback",
                         "POST /api/v1/concepts/caf%C3%A9/learn", "GET /api/v1/concepts/a%23b"));
}

TEST_F(Commands, WatchFindsTheJobThatRunsHoweverManyCameAfterIt) {
  api::JobInfo waiting = job("queued");
  waiting.id = 900, waiting.queue_position = 2;
  jobs_are("running", {job("running")});
  jobs_are("queued", {waiting});
  job_is("done");
  EXPECT_EQ(run({"watch"}).status, 0);
  EXPECT_TRUE(asked_.contains("GET /api/v1/jobs/7"));
  jobs_are("running", {});
  api::JobInfo next = job("queued");
  next.queue_position = 1;
  jobs_are("queued", {waiting, next});
  asked_.clear();
  EXPECT_EQ(run({"watch"}).status, 0);
  EXPECT_TRUE(asked_.contains("GET /api/v1/jobs/7")) << "the next of the queue";
  jobs_are("queued", {});
  EXPECT_EQ(run({"watch"}).status, 4);
}

TEST_F(Commands, ARefusalCarriesItsSuggestions) {
  const Ran ran = run({"show", "x"});
  EXPECT_EQ(ran.status, 4);
  EXPECT_EQ(ran.err, "conceptctl: no concept is called 'x'\n  kettle-7\n");
  const Ran json = run({"--json", "show", "x"});
  EXPECT_EQ(json.status, 4);
  EXPECT_EQ(Json::parse(json.out)["error"]["suggestions"][0], "kettle-7");
}

TEST_F(Commands, ShowShowsAVersionThatIsNotLive) {
  const api::VersionInfo live{.number = 1, .verdict = "accepted"};
  api::VersionInfo refused{.number = 2, .method = "perfusion", .verdict = "rejected"};
  refused.verdict_reason = "likeness to its photos is 0.125", refused.metrics = {{"gate_identity", .125}};
  answers_["GET /api/v1/concepts/kettle-7/history"] = {
      .body = api::encode(api::History{"kettle-7", {refused, live}}).dump()};
  const Ran ran = run({"show", "kettle-7@2"});
  EXPECT_THAT(ran.out, HasSubstr("kettle-7@2: rejected, likeness to its photos is 0.125"));
  EXPECT_THAT(ran.out, HasSubstr("gate_identity"));
  EXPECT_EQ(Json::parse(run({"show", "kettle-7@2", "--json"}).out).at("number"), 2);
  const Ran none = run({"show", "kettle-7@7"});
  EXPECT_EQ(none.status, 4);
  EXPECT_THAT(none.err, HasSubstr("kettle-7 has no version 7; conceptctl history kettle-7 lists them"));
}

TEST_F(Commands, ListIsATableOrADocument) {
  api::ConceptList list{.concepts = {{.name = "kettle-7", .class_word = "kettle", .status = "live", .photos = 4}},
                        .state = 3};
  list.concepts[0].live_version = 2;
  answers_["GET /api/v1/concepts"] = {.body = api::encode(list).dump()};
  EXPECT_THAT(run({"list"}).out, testing::ContainsRegex("kettle-7 +kettle +2 +live"));
  EXPECT_EQ(Json::parse(run({"list", "--json"}).out)["state"], 3);
}

TEST_F(Commands, GenerateWritesThePicturesAndSaysWhatMadeThem) {
  api::GenerateResponse response{.images = {{.seed = 42, .png = {"one"}}, {.seed = 43, .png = {"two"}}},
                                 .state = 3,
                                 .concepts = {{.name = "kettle-7", .version = 2}},
                                 .sampler = "ddim",
                                 .steps = 20,
                                 .warnings = {"careful"}};
  answers_["POST /api/v1/generate"] = {.body = api::encode(response).dump()};
  const std::string path = (folder_ / "out.png").string();
  const Ran ran = run({"generate", "a <kettle-7>", "-o", path, "--seed", "42", "--count", "2", "--size", "64x32"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(test::contents(folder_ / "out-1.png"), "one");
  EXPECT_EQ(test::contents(folder_ / "out-2.png"), "two");
  EXPECT_THAT(ran.out, HasSubstr("seed 43"));
  EXPECT_THAT(ran.out, HasSubstr("state 3, kettle-7 version 2"));
  EXPECT_EQ(ran.err, "warning: careful\n");
  const Json asked = Json::parse(asked_["POST /api/v1/generate"]);
  EXPECT_EQ(asked["height"], 32);
  EXPECT_EQ(asked["seed"], 42);
  EXPECT_TRUE(asked["sampler"].is_null());
  EXPECT_EQ(run({"generate", "a", "--size", "big"}).status, 7);
}

TEST_F(Commands, WaitTellsByItsStatus) {
  job_is("done");
  EXPECT_EQ(run({"wait", "7"}).status, 0);
  job_is("failed");
  const Ran failed = run({"wait", "7"});
  EXPECT_EQ(failed.status, kExitJobFailed);
  EXPECT_THAT(failed.err, HasSubstr("out of memory"));
  EXPECT_THAT(failed.err, HasSubstr("conceptctl learn kettle-7"));
  api::JobInfo refused = job("done");
  refused.result_version = 2, refused.published = false, refused.refused = "likeness 0.1";
  answers_["GET /api/v1/jobs/7"] = {.body = api::encode(api::JobAnswer{refused}).dump()};
  const Ran kept = run({"wait", "7"});
  EXPECT_EQ(kept.status, kExitRefused);
  EXPECT_THAT(kept.err, HasSubstr("kettle-7@2 is learnt and kept, and the gate refuses it: likeness 0.1"));
  EXPECT_THAT(kept.err, HasSubstr("--override-gate --reason"));
  job_is("running");
  const Ran late = run({"wait", "7", "--timeout", "0"});
  EXPECT_EQ(late.status, kExitTimedOut);
  EXPECT_THAT(late.err, HasSubstr("still running"));
}

TEST_F(Commands, WatchShowsStepLossAndTimeLeft) {
  job_is("running");
  std::thread ends([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    const std::lock_guard lock(mutex_);
    job_is("done");
  });
  const Ran ran = run({"watch", "7"});
  ends.join();
  EXPECT_EQ(ran.status, 0);
  EXPECT_THAT(ran.err, HasSubstr("step 30/120, loss 0.125, 9.0 s left"));
  EXPECT_THAT(ran.out, HasSubstr("kettle-7 version 2 is learnt"));
}

TEST_F(Commands, ShowReadsAPicturesProvenance) {
  const api::Provenance provenance{.release = "0.1.0",
                                   .prompt = "a <kettle-7>",
                                   .seed = 42,
                                   .sampler = "ddim",
                                   .steps = 20,
                                   .state = 3,
                                   .concepts = {{.name = "kettle-7", .version = 2, .method = "perfusion"}}};
  const picture::Picture grey{.width = 8, .height = 8, .rgb = std::vector<std::uint8_t>(8 * 8 * 3, 128)};
  const std::string path = (folder_ / "out.png").string();
  test::plant(path, picture::encode_png(grey, api::png_texts(provenance)));
  const Ran ran = run({"show", path});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("a <kettle-7>"));
  EXPECT_THAT(ran.out, HasSubstr("kettle-7 version 2, perfusion"));
  EXPECT_EQ(Json::parse(run({"show", path, "--json"}).out)["seed"], 42);
}

TEST_F(Commands, RollbackSaysHowToUndoIt) {
  answers_["POST /api/v1/concepts/kettle-7/rollback"] = {
      .body = api::encode(api::RolledBack{.name = "kettle-7", .from = 3, .to = 2, .state = 9}).dump()};
  const Ran ran = run({"rollback", "kettle-7", "--reason", "ugly"});
  EXPECT_EQ(ran.out, "kettle-7: version 3 -> 2, state 9. Undo: conceptctl rollback kettle-7 --to 3\n");
}

TEST_F(Commands, VersionNeedsNoDaemon) {
  std::ostringstream out, err;
  EXPECT_EQ(run_conceptctl({"version", "--socket", "/nowhere.sock"}, out, err), 0);
  EXPECT_THAT(out.str(), HasSubstr("conceptctl 0.1.0"));
  EXPECT_THAT(run({"version"}).out, HasSubstr("conceptd   0.1.0"));
}

}  // namespace
}  // namespace conceptd::cli
