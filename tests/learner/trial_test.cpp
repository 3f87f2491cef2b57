// Goal: the bench asks for the right things and its measures tell right pictures from wrong ones. Method: real renders,
// whose truth is known; results made up by hand for the summary.
#include "learner/evaluate/trial.h"

#include <fstream>
#include <set>

#include "embedded_base.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_folder.h"

namespace conceptd::evaluate {
namespace {

TEST(Trial, AsksInPlacesThatNoPhotoShowsAndBesideAnotherShape) {
  const HeldOutCase held(20, 4), again(20, 4);
  EXPECT_TRUE(torch::equal(held.photos, again.photos)) << "the same photos for every report";
  const auto prompts = trial_prompts(held);
  ASSERT_EQ(prompts.size(), 20u);
  std::set<std::string> texts;
  for (const auto& prompt : prompts) {
    texts.insert(prompt.text);
    for (const auto& photo : held.scenes) EXPECT_NE(photo.background, prompt.background) << prompt.text;
    EXPECT_NE(prompt.text.find("{}"), std::string::npos);
    EXPECT_FALSE(prompt.companion && prompt.companion->shape == held.instance.shape) << prompt.text;
  }
  EXPECT_EQ(texts.size(), 20u) << "no prompt twice";
}

// What the prompts ask for, photographed; `companions` off: the thing alone everywhere.
Tensor photographed(HeldOutCase& held, const std::vector<TrialPrompt>& prompts, bool companions) {
  std::vector<world::Scene> scenes;
  for (const auto& prompt : prompts) {
    auto scene = world::photograph(held.instance, held.random, prompt.background);
    if (prompt.companion && companions) {
      scene.objects[0].x = 18, scene.objects[0].size = 28;
      scene.objects.push_back({.instance = *prompt.companion, .x = 46, .size = 28});
    }
    scenes.push_back(scene);
  }
  return pretrain::render_scenes(scenes);
}

TEST(Trial, MeasuresWhatIsThere) {
  torch::NoGradGuard frozen;
  Evaluator judge(CONCEPTD_SOURCE_DIR "/models/evaluator");
  HeldOutCase held(20, 4), other(2, 4);
  const auto prompts = trial_prompts(held);
  TrialReferences references{
      .renders = held.references(judge), .photos_towers = judge.towers.of_pictures(held.photos), .plain_towers = {}};
  const auto right = photographed(held, prompts, true);
  references.plain_towers = judge.towers.of_pictures(right);
  const auto own = measure_trial(judge, held, prompts, right, 1, references);
  const auto lonely = measure_trial(judge, held, prompts, photographed(held, prompts, false), 1, references);
  const auto wrong = measure_trial(judge, held, prompts, photographed(other, prompts, true), 1, references);
  EXPECT_GT(own["background"].get<double>(), .9);
  EXPECT_GT(own["companion"].get<double>(), .7);
  EXPECT_LT(lonely["companion"].get<double>(), .2);
  EXPECT_GT(own["embedding"].get<double>(), wrong["embedding"].get<double>() + .3);
  EXPECT_GT(own["fidelity"].get<double>(), wrong["fidelity"].get<double>());
  EXPECT_LT(own["copy_distance"].get<double>(), wrong["copy_distance"].get<double>());
  EXPECT_NEAR(own["wasserstein"].get<double>(), 0, 1e-5) << "to itself";
  EXPECT_GT(wrong["wasserstein"].get<double>(), .3);
}

TEST(Trial, TheFisherPlanGivesNothingForNothing) {
  const auto plan = fisher_plan(learner::embedded_base(), 2, 2, {.steps = 2});
  EXPECT_EQ(plan.divergence(nullptr), 0);
}

std::filesystem::path results(const test::TempFolder& folder, const std::string& lines) {
  std::ofstream(folder / "results.jsonl") << lines;
  return folder / "results.jsonl";
}

TEST(Summary, IsMeansAndPairedDifferencesOverThings) {
  const test::TempFolder folder;
  const auto path = results(folder, R"({"plan":"p","thing":"a","way":"ours","embedding":0.9,"bytes":100}
{"plan":"p","thing":"b","way":"ours","embedding":0.7,"bytes":100}
{"plan":"p","thing":"a","way":"theirs","embedding":0.8}
{"plan":"p","thing":"b","way":"theirs","embedding":0.6}
{"plan":"p","thing":"a","way":"ou)");  // a run was killed here
  const auto summary = summarise({path}, {"theirs"});
  EXPECT_EQ(summary["things"], 2);
  EXPECT_NEAR(summary["ways"]["ours"]["embedding"]["value"].get<double>(), .8, 1e-9);
  EXPECT_LT(summary["ways"]["ours"]["embedding"]["low"].get<double>(), .75);
  const auto difference = summary["differences"]["ours - theirs"]["embedding"];
  EXPECT_NEAR(difference["low"].get<double>(), .1, 1e-9) << "things differ, the difference does not";
  EXPECT_NEAR(difference["high"].get<double>(), .1, 1e-9);
  const auto table = summary_table(summary);
  EXPECT_NE(table.find("| ours | 2 | 0.800 ±"), std::string::npos) << table;
  EXPECT_NE(table.find("| 100 |"), std::string::npos) << table;
  EXPECT_ERROR(summarise({path}, {"nobody"}), Code::not_found, "nobody");
}

TEST(Summary, DoesNotMixPlans) {
  const test::TempFolder folder;
  const auto path = results(folder, R"({"plan":"p","thing":"a","way":"w","embedding":1}
{"plan":"q","thing":"b","way":"w","embedding":1}
)");
  EXPECT_ERROR(summarise({path}, {}), Code::conflict, "2 plans");
}

}  // namespace
}  // namespace conceptd::evaluate
