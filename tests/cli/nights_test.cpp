#include "cli/report_page.h"
#include "tests/cli/commands_fixture.h"

namespace conceptd::cli {
namespace {

using testing::Not;

api::NightInfo night(const std::string& state) {
  api::NightInfo night{.id = 7, .date = "2026-11-23", .cause = "window", .actor = "conceptd", .state = state};
  night.began_at = "2026-11-23T00:00:00.000Z", night.until = "2026-11-23T05:00:00.000Z";
  if (state != "running") night.ended_at = "2026-11-23T00:12:00.000Z";
  if (state == "failed") night.reason = "measure: changed: mug-7";
  night.steps.push_back({.name = "learn", .state = "done", .seconds = 600, .message = "2 learnt, 0 failed"});
  night.steps.push_back(
      {.name = "measure", .state = state == "running" ? "running" : "done", .message = "drawing mug-7, 3 more"});
  return night;
}

Json report(const std::string& name = "mug-7") {
  const Json matrix{{"score", {{.5, nullptr}, {.5, .625}}},
                    {"average", .5625},
                    {"learning", .5625},
                    {"backward_transfer", 0.},
                    {"forgetting", 0.},
                    {"worst_retention", 1.},
                    {"worst", name},
                    {"class_word", {.1, nullptr}}};
  return {
      {"schema", "conceptd/night/1"},
      {"night", api::encode(night("done"))},
      {"learnt", {{{"name", "lamp"}, {"version", 2}, {"outcome", "refused"}, {"reason", "likeness 0.1"}}}},
      {"manifest", "sha256:00"},
      {"measured",
       {{{"name", name}, {"version", 1}, {"outcome", "same"}, {"identity", .5}, {"fidelity", .6}, {"seconds", 2.}}}},
      {"bytes", {{{"name", name}, {"version", 1}, {"delta_bytes", 24800}}}},
      {"matrices",
       {{"nights", {{{"id", 6}, {"date", "2026-11-22"}}, {{"id", 7}, {"date", "2026-11-23"}}}},
        {"concepts", {name, "lamp"}},
        {"likeness", matrix},
        {"fit", matrix}}}};
}

class NightCommands : public Commands {
 protected:
  void night_is(const std::string& state) {
    const std::string body = api::encode(api::NightAnswer{.night = night(state)}).dump();
    answers_["GET /api/v1/nights/7"] = {.body = body};
    answers_["GET /api/v1/nights/last"] = {.body = body};
  }
};

TEST_F(NightCommands, NightlyWaitsForTheEndAndSaysHowItWent) {
  answers_["POST /api/v1/nights"] = {.status = 202,
                                     .body = api::encode(api::NightAnswer{.night = night("running")}).dump()};
  night_is("done");
  const Ran done = run({"nightly", "--until", "06:00"});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.err, HasSubstr("Night 7 runs, until 2026-11-23 05:00 UTC."));
  EXPECT_THAT(done.out, HasSubstr("2 learnt, 0 failed"));
  EXPECT_EQ(Json::parse(asked_["POST /api/v1/nights"]).at("until"), "06:00");
  night_is("failed");
  EXPECT_EQ(run({"nightly"}).status, kExitJobFailed);
  night_is("stopped");
  EXPECT_EQ(run({"nightly"}).status, 0) << "its time was over: nothing is wrong";
  const Ran begun = run({"nightly", "--no-wait"});
  EXPECT_THAT(begun.out, HasSubstr("conceptctl watch --night"));
  EXPECT_EQ(Json::parse(run({"nightly", "--no-wait", "--json"}).out).at("night").at("id"), 7);
}

TEST_F(NightCommands, WatchShowsTheNight) {
  night_is("done");
  EXPECT_THAT(run({"watch", "--night"}).out, HasSubstr("night 7 of 2026-11-23: done"));
  EXPECT_EQ(run({"watch", "--night", "kettle-7"}).status, kExitUsage);
}

TEST_F(NightCommands, ReportShowsWhatWasKept) {
  answers_["GET /api/v1/nights/last/report"] = {.body = report().dump()};
  const Ran shown = run({"report"});
  EXPECT_EQ(shown.status, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("lamp@2"));
  EXPECT_THAT(shown.out, HasSubstr("likeness 0.1"));
  EXPECT_THAT(shown.out, HasSubstr("worst retention 1"));
  EXPECT_EQ(Json::parse(run({"report", "--json"}).out), report());
}

TEST_F(NightCommands, ReportWritesAPage) {
  answers_["GET /api/v1/nights/2026-11-23/report"] = {.body = report().dump()};
  const std::string file = (folder_ / "night.html").string();
  const Ran ran = run({"report", "--night", "2026-11-23", "--html", file});
  EXPECT_EQ(ran.status, 0) << ran.err;
  const std::string page = test::contents(file);
  EXPECT_THAT(page, HasSubstr("<svg"));
  EXPECT_THAT(page, HasSubstr("2026-11-22 (6)"));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("src=")));
  EXPECT_THAT(page, Not(HasSubstr("href="))) << "it asks for nothing from anywhere";
}

TEST(ReportPages, EscapeWhatTheyShow) {
  const std::string page = report_page(report("<b>\"&"));
  EXPECT_THAT(page, HasSubstr("&lt;b&gt;&quot;&amp;"));
  EXPECT_THAT(page, Not(HasSubstr("<b>\"&")));
}

TEST(HeatMaps, HaveACellANumber) {
  const std::string map = heat_map({{.1, nullptr}, {.2, .3}}, {"n1", "n2"}, {"a", "b"});
  const auto count = [&](const std::string& what) {
    int found = 0;
    for (std::size_t at = map.find(what); at != std::string::npos; at = map.find(what, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("<rect"), 3);
  EXPECT_EQ(count("<text"), 4);
  EXPECT_THAT(map, HasSubstr("#eff3ff\"><title>0.1<")) << "the least is pale";
  EXPECT_THAT(map, HasSubstr("#08306b\"><title>0.3<")) << "the greatest is dark";
  EXPECT_THAT(heat_map(Json::array(), Json::array(), Json::array()), HasSubstr("nothing was measured"));
  EXPECT_THAT(heat_map({{.5}}, {"n"}, {"a"}), HasSubstr("#08306b")) << "all alike";
}

}  // namespace
}  // namespace conceptd::cli
