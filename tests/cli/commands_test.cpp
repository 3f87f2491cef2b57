// Goal: what a person types does what it says, and what goes wrong says what to do. Method: the real program, from its
// arguments to its output, against a server that answers what the test wants and remembers what it was asked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <sstream>
#include <thread>

#include "cli/command.h"
#include "core/picture/picture.h"
#include "daemon/api/wire.h"
#include "daemon/http_server.h"
#include "tests/support/temp_folder.h"

namespace conceptd::cli {
namespace {

using testing::HasSubstr;

struct Ran {
  int status = 0;
  std::string out;
  std::string err;
};

class Commands : public testing::Test {
 protected:
  Commands()
      : server_({.handle = [this](daemon::HttpRequest request,
                                  const daemon::Respond& respond) { respond(answer(std::move(request))); },
                 .body_limit = [](const std::string&, const std::string&) { return std::size_t{1} << 24; },
                 .refuse = [](int status, const std::string&) { return daemon::HttpResponse{.status = status}; }}) {
    server_.listen(socket());
    answers_["GET /api/v1/status"] = {.body = api::encode(status()).dump()};
  }
  std::string socket() { return (folder_ / "conceptd.sock").string(); }

  static api::Status status() {
    api::Status status;
    status.release = "0.1.0";
    status.methods = {{.name = "perfusion", .is_default = true, .typical_seconds = 125}};
    return status;
  }
  static api::JobInfo job(const std::string& state) {
    api::JobInfo job;
    job.id = 7, job.name = "kettle-7", job.state = state, job.attempts = 1, job.attempts_max = 3;
    job.progress = {.step = 30, .steps = 120, .loss = 0.125, .eta_s = 9};
    if (state == "done") job.result_version = 2;
    if (state == "failed") job.error_message = "out of memory";
    return job;
  }
  void job_is(const std::string& state) {
    answers_["GET /api/v1/jobs/7"] = {.body = api::encode(api::JobAnswer{job(state)}).dump()};
  }
  std::string plant_photo(const std::string& name) {
    const picture::Picture grey{.width = 64, .height = 48, .rgb = std::vector<std::uint8_t>(64 * 48 * 3, 128)};
    test::plant(folder_ / name, picture::encode_png(grey));
    return (folder_ / name).string();
  }

  Ran run(std::vector<std::string> arguments) {
    std::ostringstream out, err;
    arguments.insert(arguments.begin(), {"--socket", socket()});
    Ran ran;
    ran.status = run_conceptctl(arguments, out, err);
    ran.out = out.str(), ran.err = err.str();
    return ran;
  }

  daemon::HttpResponse answer(daemon::HttpRequest request) {
    const std::lock_guard lock(mutex_);
    const std::string key = request.method + " " + request.path;
    asked_[key] = request.body;
    const auto found = answers_.find(key);
    if (found != answers_.end()) return found->second;
    const api::ErrorBody body{.code = "not_found", .message = "no concept is called 'x'", .suggestions = {"kettle-7"}};
    return {.status = 404, .body = api::encode_error(body).dump()};
  }

  test::TempFolder folder_;
  std::mutex mutex_;
  std::map<std::string, daemon::HttpResponse> answers_;
  std::map<std::string, std::string> asked_;
  daemon::HttpServer server_;
};

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
  EXPECT_EQ(run({"add", "kettle-7", plant_photo("a.png"), "--class", "kettle", "-n"}).status, 0);
  EXPECT_FALSE(asked_.contains("POST /api/v1/concepts"));
}

TEST_F(Commands, ARefusalCarriesItsSuggestions) {
  const Ran ran = run({"show", "x"});
  EXPECT_EQ(ran.status, 4);
  EXPECT_EQ(ran.err, "conceptctl: no concept is called 'x'\n  kettle-7\n");
  const Ran json = run({"--json", "show", "x"});
  EXPECT_EQ(json.status, 4);
  EXPECT_EQ(Json::parse(json.out)["error"]["suggestions"][0], "kettle-7");
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
