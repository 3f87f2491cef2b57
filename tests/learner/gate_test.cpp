// Goal: what has not learnt, has forgotten its prompts or is worse than what is published is refused, with the numbers;
// the rest passes. Method: the decision alone on made-up measures, then a real gate on the embedded base with a word
// that means something else than its class.
#include "learner/gate/gate.h"

#include "embedded_base.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_folder.h"

namespace conceptd::learner {
namespace {

const GateSettings kAsked{.judge = "x",
                          .prompts = {"a {}"},
                          .identity_gain_min = .1,
                          .fidelity_drop_max = .2,
                          .identity_loss_max = .05,
                          .fidelity_loss_max = .05};
const GateMeasures kPlain{.identity = .2, .fidelity = .6, .copy_distance = .8};

GateVerdict judged(double identity, double fidelity, std::optional<GateMeasures> published = {}) {
  return decide(kAsked, {.identity = identity, .fidelity = fidelity}, kPlain, published, "mug");
}

TEST(Gate, AsksForMoreThanTheClassWordHas) {
  EXPECT_TRUE(judged(.31, .6).accepted);
  const auto refused = judged(.29, .6);
  EXPECT_FALSE(refused.accepted);
  EXPECT_EQ(refused.reason, "likeness to its photos is 0.290; a plain mug has 0.200, so at least 0.300 is asked");
}

TEST(Gate, AsksThatPromptsCount) {
  EXPECT_TRUE(judged(.5, .41).accepted);
  EXPECT_EQ(judged(.5, .39).reason, "fit to the prompts is 0.390; a plain mug has 0.600, so at least 0.400 is asked");
}

TEST(Gate, AsksForWhatIsPublishedButForNoise) {
  const GateMeasures published{.identity = .6, .fidelity = .5};
  EXPECT_TRUE(judged(.56, .46, published).accepted);
  EXPECT_THAT(judged(.54, .5, published).reason, testing::HasSubstr("the published version has 0.600"));
  EXPECT_THAT(judged(.6, .44, published).reason, testing::HasSubstr("the published version has 0.500"));
}

TEST(Gate, RefusesWhatIsNoNumber) {
  EXPECT_FALSE(judged(NAN, .6).accepted);
  EXPECT_FALSE(judged(.6, NAN).accepted);
}

TEST(Gate, SettingsOfTheEmbeddedBaseAreReadAndBentOnesRefused) {
  const auto asked = GateSettings::of(embedded_base());
  ASSERT_TRUE(asked);
  EXPECT_FALSE(asked->prompts.empty());
  EXPECT_GT(asked->identity_gain_min, 0);
  test::TempFolder folder;
  diffusion::ModelBundle bent = embedded_base();
  bent.folder = folder.path();
  EXPECT_FALSE(GateSettings::of(bent)) << "no gate.json, nothing is asked";
  const auto refuses = [&](const std::string& json, const std::string& why) {
    test::plant(folder / "gate.json", json);
    EXPECT_ERROR(GateSettings::of(bent), Code::corrupt, why);
  };
  refuses("[]", "gate.json");
  refuses(R"({"judge": "x", "prompts": []})", "prompts");
  refuses(R"({"judge": "x", "prompts": ["a mug"]})", "one {}");
  refuses(R"({"prompts": ["a {}"]})", "judge");
  refuses(R"({"judge": "x", "prompts": ["a {}"], "identity_gain_min": "much"})", "identity_gain_min");
  refuses(R"({"judge": "x", "prompts": ["a {}"], "identity": 1})", "identity");
  test::plant(folder / "gate.json", R"({"judge": "nowhere", "prompts": ["a {}"]})");
  EXPECT_ERROR(Gate::open(bent), Code::not_found, "nowhere");
}

TEST(Judge, KnowsWhatAPictureShows) {
  auto judge = Judge::open(CONCEPTD_SOURCE_DIR "/models/evaluator");
  const auto pictures = judge.of_pictures(photos_of(20));
  EXPECT_NEAR((pictures.square().sum(1) - 1).abs().max().item<double>(), 0, 1e-5);
  const auto& held = world::held_out().at(20).instance;
  const auto captions =
      judge.of_captions({"a " + world::describe(held), "a " + world::describe(world::held_out().at(2).instance)});
  const auto fit = torch::matmul(pictures, captions.t()).mean(0);
  EXPECT_GT(fit[0].item<double>(), fit[1].item<double>() + .1);
  // Another size of the same pictures is nearly the same to it.
  namespace F = torch::nn::functional;
  const auto larger = F::interpolate(
      photos_of(20), F::InterpolateFuncOptions().size(std::vector<int64_t>{128, 128}).mode(torch::kNearest));
  EXPECT_GT((judge.of_pictures(larger) * pictures).sum(1).min().item<double>(), .9);
}

TEST(Gate, MeasuresTheSameEachTimeAndLeavesTheBaseAlone) {
  auto bundle = embedded_base();
  bundle.defaults.steps = 6;
  const auto before = bundle.parameter_digest();
  const auto request = request_for(20, {});
  auto asked = *GateSettings::of(bundle);
  asked.prompts.resize(1), asked.seeds = 1;
  Gate gate(asked, Judge::open(asked.judge));
  int steps = 0;
  const auto same = word_of(request.class_word, request.class_word);
  const GateOrder order{
      .candidate = same, .published = &same, .photos = request.photos, .before_step = [&] { ++steps; }};
  const auto report = gate.run(bundle, order);
  EXPECT_FALSE(report.verdict.accepted) << "the class word under another name is nothing learnt";
  EXPECT_EQ(report.metrics["gate_identity"], report.metrics["gate_identity_class"]);
  EXPECT_EQ(report.metrics["gate_identity"], report.metrics["gate_identity_published"]);
  EXPECT_EQ(gate.run(bundle, order).metrics, report.metrics);
  EXPECT_EQ(steps, 2 * 3 * bundle.defaults.steps);
  EXPECT_EQ(bundle.parameter_digest(), before);
  const GateOrder stopped{
      .candidate = same, .photos = request.photos, .before_step = [] { throw Error(Code::cancelled, "stop"); }};
  EXPECT_ERROR(gate.run(bundle, stopped), Code::cancelled, "stop");

  const auto probe = gate.probe(bundle, order), again = gate.probe(bundle, {.candidate = same, .photos = {}});
  EXPECT_EQ(probe.measures.identity, report.metrics["gate_identity"]) << "what run() has measured";
  EXPECT_EQ(probe.measures.fidelity, report.metrics["gate_fidelity"]);
  EXPECT_EQ(probe.pictures, again.pictures) << "the same bytes, whoever asks";
  EXPECT_TRUE(std::isnan(again.measures.identity)) << "without photos it is like nothing";
  EXPECT_EQ(again.measures.fidelity, probe.measures.fidelity);
  EXPECT_EQ(probe.count, 1);

  const auto other = word_of(request.class_word, request.class_word == "mug" ? "tree" : "mug");
  const auto strange = gate.run(bundle, {.candidate = other, .photos = request.photos});
  EXPECT_LT(strange.metrics["gate_fidelity"], strange.metrics["gate_fidelity_class"])
      << "its prompts ask for another thing";
  EXPECT_NE(gate.probe(bundle, {.candidate = other, .photos = {}}).pictures, probe.pictures);
}

}  // namespace
}  // namespace conceptd::learner
