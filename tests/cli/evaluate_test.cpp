#include "core/file_io.h"
#include "tests/cli/commands_fixture.h"

namespace conceptd::cli {
namespace {

using testing::Not;

class EvaluateCommand : public Commands {
 protected:
  EvaluateCommand() { answers_["POST /api/v1/concepts/kettle-7/evaluate"] = {.status = 202, .body = body("waiting")}; }
  static std::string body(const std::string& state) {
    api::EvaluationInfo info{
        .id = "1f", .name = "kettle-7", .version = 2, .class_word = "kettle", .seeds = 4, .words = "a red kettle"};
    info.state = state;
    if (state == "failed") info.error = "the base names no judge";
    if (state == "done")
      info.measures = {.prompts = {"a {} at night"},
                       .ways = {{.way = "concept", .likeness = .525, .fit = .64, .diversity = .1, .copy_distance = .26},
                                {.way = "class word", .likeness = .125, .fit = .66, .wasserstein = .5},
                                {.way = "class word, other seeds", .fit = .65},
                                {.way = "words", .fit = .63}},
                       .unnamed_divergence = .00125,
                       .seconds = 61};
    return api::encode(api::EvaluationAnswer{info}).dump();
  }
  void it_is(const std::string& state) { answers_["GET /api/v1/evaluations/1f"] = {.body = body(state)}; }
};

TEST_F(EvaluateCommand, ShowsTheMeasuresBesideTheClassWord) {
  it_is("done");
  answers_["GET /api/v1/evaluations/1f/sheet.png"] = {.body = "a picture"};
  const std::string sheet = (folder_ / "sheet.png").string();
  const Ran done = run({"evaluate", "kettle-7@previous", "-p", "a {} at night", "-p", "a {} on the beach", "--seeds",
                        "4", "--words", "a red kettle", "-o", sheet});
  ASSERT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("kettle-7@2: 1 prompt, 4 seeds each, 1 min 01 s"));
  EXPECT_THAT(done.out, HasSubstr("0.525"));
  EXPECT_THAT(done.out, HasSubstr("a plain kettle, other seeds"));
  EXPECT_THAT(done.out, HasSubstr("\"a red kettle\""));
  EXPECT_THAT(done.out, HasSubstr("0.00125"));
  EXPECT_THAT(done.out, HasSubstr("rows from the top: kettle-7@2, a plain kettle, \"a red kettle\""));
  EXPECT_EQ(read_file(sheet, 100), "a picture");
  const Json asked = Json::parse(asked_["POST /api/v1/concepts/kettle-7/evaluate"]);
  EXPECT_EQ(asked.at("version"), "previous");
  EXPECT_EQ(asked.at("prompts"), (Json{"a {} at night", "a {} on the beach"}));
  EXPECT_EQ(asked.at("seeds"), 4);
}

TEST_F(EvaluateCommand, PrintsTheAnswerAsItIs) {
  it_is("done");
  const Json answer = Json::parse(run({"evaluate", "kettle-7", "--json"}).out);
  EXPECT_EQ(answer.at("evaluation").at("measures").at("ways").at(0).at("likeness"), .525);
  EXPECT_EQ(answer.at("evaluation").at("measures").at("ways").at(3).at("likeness"), nullptr);
}

TEST_F(EvaluateCommand, SaysWhyThereIsNone) {
  it_is("failed");
  const Ran failed = run({"evaluate", "kettle-7"});
  EXPECT_EQ(failed.status, kExitJobFailed);
  EXPECT_THAT(failed.err, HasSubstr("the base names no judge"));
  EXPECT_EQ(failed.out, "");
  it_is("cancelled");
  EXPECT_THAT(run({"evaluate", "kettle-7"}).err, HasSubstr("was cancelled"));
  EXPECT_EQ(run({"evaluate"}).status, kExitUsage);
}

}  // namespace
}  // namespace conceptd::cli
