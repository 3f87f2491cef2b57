// Goal: nothing that comes from outside, a daemon, a picture or an argument, moves the cursor, hides or is taken for an
// option; row 46 of docs/reliability.md.
#include "daemon/api/limits.h"
#include "tests/cli/commands_fixture.h"

namespace conceptd::cli {
namespace {

// What a terminal would obey, what hides, what turns the order round, and bytes that are no text.
const std::string kHostile =
    "x\x1b[2J\x1b]0;owned\x07\n\r\x7f\xc2\x9b"
    "31m\u202egnp\u200b\u2066";

class HostileAnswers : public Commands {
 protected:
  HostileAnswers() {
    api::JobInfo bad = job("failed");
    bad.name = bad.kind = bad.method = bad.error_message = bad.requested_by = bad.progress.message = kHostile;
    api::VersionInfo version;
    version.method = version.verdict = version.verdict_reason = version.digest = version.base_fingerprint = kHostile;
    version.created_at = kHostile;
    version.metrics = {{kHostile, 1}};
    api::ConceptDetail detail{.created_by = kHostile, .photos = {{}}, .live = version, .last_job = bad};
    detail.summary.class_word = kHostile;
    detail.problem = kHostile;
    detail.photos[0].name = detail.photos[0].media_type = detail.photos[0].digest = kHostile;
    api::ConceptSummary summary = detail.summary;
    summary.name = summary.status = kHostile;
    summary.method = summary.learned_at = kHostile;
    api::Status status = Commands::status();
    status.release = status.base.name = status.machine.blas = status.socket = status.data_dir = kHostile;
    status.warnings = status.samplers = {kHostile};
    answers_["GET /api/v1/status"] = {.body = api::encode(status).dump()};
    answers_["GET /api/v1/concepts"] = {.body = api::encode(api::ConceptList{{summary}}).dump()};
    answers_["GET /api/v1/concepts/kettle-7"] = {.body = api::encode(detail).dump()};
    answers_["GET /api/v1/concepts/kettle-7/history"] = {.body = api::encode(api::History{kHostile, {version}}).dump()};
    answers_["GET /api/v1/jobs"] = {.body = api::encode(api::JobList{{bad}}).dump()};
    answers_["GET /api/v1/jobs/7"] = {.body = api::encode(api::JobAnswer{bad}).dump()};
    answers_["POST /api/v1/concepts/kettle-7/rollback"] = {
        .body = api::encode(api::RolledBack{.name = kHostile, .from = 2, .to = 1}).dump()};
    const api::ErrorBody error{.code = "invalid", .message = kHostile, .field = kHostile, .suggestions = {kHostile}};
    answers_["POST /api/v1/generate"] = {.status = 422, .body = api::encode_error(error).dump()};
    answers_["POST /api/v1/concepts"] = {
        .body = api::encode(api::Queued{.summary = summary, .job = bad, .warnings = {kHostile}}).dump()};
  }
  void expect_harmless(const Ran& ran) {
    EXPECT_FALSE((ran.out + ran.err).empty());
    for (const char* part : {"\x1b", "\x07", "\r", "\x7f", "\xc2\x9b", "\u202e", "\u200b", "\u2066"})
      EXPECT_THAT(ran.out + ran.err, testing::Not(HasSubstr(part)));
  }
};

TEST_F(HostileAnswers, MoveNoCursor) {
  const std::string photo = plant_photo("front.png");
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"status"},
                                             {"version"},
                                             {"list"},
                                             {"show", "kettle-7"},
                                             {"history", "kettle-7"},
                                             {"rollback", "kettle-7"},
                                             {"jobs"},
                                             {"wait", "7"},
                                             {"watch", "7"},
                                             {"generate", "a kettle", "-o", (folder_ / "x.png").string()},
                                             {"add", "mug-2", photo, "--class", "mug"}}) {
    SCOPED_TRACE(arguments.front());
    expect_harmless(run(arguments));
  }
}

TEST_F(HostileAnswers, OrAPictureOfAStranger) {
  const api::Provenance provenance{.release = kHostile,
                                   .prompt = kHostile,
                                   .negative_prompt = kHostile,
                                   .sampler = kHostile,
                                   .concepts = {{.name = kHostile, .digest = kHostile, .method = kHostile}},
                                   .base = kHostile,
                                   .base_fingerprint = kHostile};
  const picture::Picture grey{.width = 8, .height = 8, .rgb = std::vector<std::uint8_t>(8 * 8 * 3, 128)};
  const std::string file = (folder_ / "x.png").string();
  test::plant(file, picture::encode_png(grey, {{"conceptd", api::encode(provenance).dump()}}));
  const Ran ran = run({"show", file});
  EXPECT_EQ(ran.status, 0) << ran.err;
  expect_harmless(ran);
  test::plant(file, picture::encode_png(grey, {{"conceptd", std::string(100'000, '[')}}));
  EXPECT_EQ(run({"show", file}).status, 7);
  test::plant(file, test::contents(file).substr(0, 50));
  EXPECT_EQ(run({"show", file}).status, 8);
}

TEST_F(HostileAnswers, AnArgumentIsNoOptionAfterTwoDashes) {
  answers_["GET /api/v1/concepts/--json"] = answers_["GET /api/v1/concepts/kettle-7"];
  EXPECT_EQ(run({"show", "--", "--json"}).status, 0);
  EXPECT_TRUE(asked_.contains("GET /api/v1/concepts/--json"));
  EXPECT_EQ(run({"show", "-x"}).status, kExitUsage);
  EXPECT_EQ(run({"generate", "--", "-rf / * $(reboot)\n"}).status, 7);
  EXPECT_EQ(Json::parse(asked_["POST /api/v1/generate"])["prompt"], "-rf / * $(reboot)\n");
}

TEST_F(HostileAnswers, APhotoThatIsNoneIsNamedBeforeAnythingIsSent) {
  test::plant(folder_ / "x.jpg", "GIF89a");
  const Ran gif = run({"add", "mug-2", (folder_ / "x.jpg").string(), "--class", "mug"});
  EXPECT_EQ(gif.status, 7);
  EXPECT_THAT(gif.err, HasSubstr("it is a GIF"));
  EXPECT_EQ(run({"generate", "a", "--size", "512x"}).status, 7);
  EXPECT_EQ(run({"generate", "a", "--size", "512X512"}).status, 7);
  EXPECT_FALSE(asked_.contains("POST /api/v1/concepts"));
  EXPECT_FALSE(asked_.contains("POST /api/v1/generate"));
  EXPECT_EQ(run({"generate", "a", "--steps", "4294967297"}).status, kExitUsage);
  run({"generate", "a", "--seed", "18446744073709551617", "-o", (folder_ / "x.png").string()});
  EXPECT_GT(Json::parse(asked_["POST /api/v1/generate"])["seed"], api::kSeedMax) << "it must not wrap into the range";
}

}  // namespace
}  // namespace conceptd::cli
