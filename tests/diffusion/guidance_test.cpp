// Goal: guidance by attention does what its three losses say and touches nothing else. Method: maps made by hand, where
// the answer is known; then the embedded base, with and without it.
#include <gtest/gtest.h>

#include "diffusion/guidance/attention_losses.h"
#include "diffusion/guidance/concept_attention.h"
#include "diffusion/text_to_image.h"

namespace conceptd::diffusion {
namespace {

constexpr int64_t kSide = 8, kTokens = 7;
const std::vector<ConceptTokens> kTwo{{2, 2}, {5, 5}}, kTwoWithIdentifiers{{1, 2}, {4, 5}};

// Maps as the losses see them, (8, 8, 5): token k's in column k - 1, each a blob somewhere.
Tensor blob(double y, double x) {
  const auto at = torch::arange(kSide, torch::kFloat);
  return torch::outer(torch::exp(-(at - y).pow(2)), torch::exp(-(at - x).pow(2)));
}
Tensor maps_with(const std::map<int64_t, Tensor>& of_tokens) {
  auto maps = torch::full({kSide, kSide, kTokens - 2}, 1e-6);
  for (const auto& [token, map] : of_tokens) maps.select(2, token - 1).copy_(map);
  return maps;
}
Tensor raw_maps() {
  torch::manual_seed(3);
  return torch::randn({kSide, kSide, kTokens}).softmax(2);
}
Tensor gradient_of(const Tensor& maps, const std::function<Tensor(const Tensor&)>& loss) {
  auto leaf = maps.detach().clone().requires_grad_();
  return torch::autograd::grad({loss(leaf)}, {leaf})[0];
}
double value(const Tensor& loss) { return loss.item<double>(); }

TEST(AttendLoss, IsAttendAndExcitesInTheLimit) {  // invariant 13
  const auto theirs = [](const Tensor& maps) { return (1 - peaks(sharpened_maps(maps, 100), {2, 5})).max(); };
  const AttentionLosses limit{.attend = 1, .unmix = 0, .orthogonal = 0, .dynamics = 1e-9, .sharpness = 100};
  const auto ours = [&](const Tensor& maps) { return attention_loss(maps, kTwo, limit); };
  const auto maps = raw_maps();
  EXPECT_NEAR(value(ours(maps)), value(theirs(maps)), 1e-6);
  EXPECT_LT((gradient_of(maps, ours) - gradient_of(maps, theirs)).abs().max().item<double>(), 1e-6);
  EXPECT_GT(gradient_of(maps, theirs).abs().max().item<double>(), 1e-4);
}

TEST(AttendLoss, LooksMostAtTheWeakestAndAsksIdentifiersToo) {
  const auto maps = maps_with({{2, .9 * blob(4, 1)}, {5, .3 * blob(4, 6)}});
  const auto pull = [&](int64_t token) {
    return gradient_of(maps, [](const Tensor& m) { return attend_loss(m, kTwo, .1); })
        .select(2, token - 1)
        .abs()
        .max()
        .item<double>();
  };
  EXPECT_GT(pull(5), 10 * pull(2));
  EXPECT_GT(value(attend_loss(maps, kTwoWithIdentifiers, .1)), value(attend_loss(maps, kTwo, .1)) + .5);
}

TEST(SharpenedMaps, DropTheFirstAndLastTokenAndSmooth) {
  auto maps = torch::zeros({kSide, kSide, kTokens});
  maps.select(2, 0).fill_(1), maps.select(2, kTokens - 1).fill_(1);  // who gets nearly all attention counts for nothing
  maps[4][4][3] = .2;
  const auto sharp = sharpened_maps(maps, 100);
  ASSERT_EQ(sharp.size(2), kTokens - 2);
  EXPECT_NEAR(value(sharp[0][0].sum()), 1, 1e-5);
  EXPECT_NEAR(value(sharp[0][0][2]), .2, 1e-4);  // five tokens alike
  const auto row = torch::exp(-torch::tensor({1., 0., 1.}).pow(2));
  const double centre = value((row / row.sum())[1]);
  EXPECT_NEAR(value(sharp[4][4][2]), .2 + .8 * centre * centre, 1e-4);
  EXPECT_GT(value(sharp[4][5][2]), .25);
}

TEST(UnmixLoss, IsNothingWhereEachKeepsToItsHalf) {  // invariant 15
  auto left = blob(4, 1), right = blob(3, 6);
  left.slice(1, 4).zero_(), right.slice(1, 0, 4).zero_();
  EXPECT_NEAR(value(unmix_loss(maps_with({{2, left}, {5, right}}), kTwo)), 0, 1e-4);
  EXPECT_NEAR(value(unmix_loss(maps_with({{2, right}, {5, left}}), kTwo)), 0, 1e-4);
  EXPECT_GT(value(unmix_loss(maps_with({{2, blob(4, 3)}, {5, blob(4, 4)}}), kTwo)), .3);
}

TEST(UnmixMasks, AreHalvesOfTwoAndStripsOfMore) {  // invariant 15
  const auto beside = unmix_masks(maps_with({{2, blob(4, 6)}, {5, blob(4, 1)}}), kTwo);
  EXPECT_TRUE(torch::equal(beside.sum(0), torch::ones({kSide, kSide})));
  EXPECT_EQ(value(beside[0].slice(1, 4).sum()), 0);  // the one that stands right may be right
  const auto above = unmix_masks(maps_with({{2, blob(1, 4)}, {5, blob(6, 4)}}), kTwo);
  EXPECT_EQ(value(above[0].slice(0, 0, 4).sum()), 0);
  const std::vector<ConceptTokens> three{{1, 1}, {3, 3}, {5, 5}};
  const auto strips = unmix_masks(maps_with({{1, blob(4, 6)}, {3, blob(4, 1)}, {5, blob(4, 3)}}), three);
  EXPECT_TRUE(torch::equal((1 - strips).sum(0), torch::ones({kSide, kSide})));
}

TEST(OrthogonalLoss, IsNothingForMapsApartAndRisesWhenTheyAreSwapped) {  // invariant 14
  auto left = blob(4, 1), right = blob(3, 6);
  left.slice(1, 4).zero_(), right.slice(1, 0, 4).zero_();
  const auto right_way = maps_with({{1, left}, {2, left}, {4, right}, {5, right}});
  const auto swapped = maps_with({{1, right}, {2, left}, {4, left}, {5, right}});
  EXPECT_NEAR(value(orthogonal_loss(right_way, kTwoWithIdentifiers)), 0, 1e-3);
  EXPECT_GT(value(orthogonal_loss(swapped, kTwoWithIdentifiers)), 3);
}

class Guiding : public testing::Test {
 protected:
  void SetUp() override { at::set_num_threads(1); }  // libtorch's own wait for each other where anything else runs
  void TearDown() override { at::set_num_threads(threads_before); }
  const int threads_before = at::get_num_threads();
  static ModelBundle& bundle() {
    static auto g_bundle = ModelBundle::open(CONCEPTD_SOURCE_DIR "/models/tiny-64");
    return g_bundle;
  }
  // Two words with rows of their own, which is all that guidance asks of a concept.
  static PreparedPrompt prompt(const std::string& text) {
    torch::manual_seed(8);
    auto edits = std::make_shared<EditSet>();
    for (const auto* name : {"<one>", "<two>"})
      edits->tokens.push_back({name, .02 * torch::randn({1, bundle().text_encoder->config.hidden_size})});
    return prepare_prompt(bundle(), text, edits);
  }
  static Tensor drawn(Steering& steering, const std::string& sampler = "ddim") {
    TextToImageRequest request{.sampler = sampler, .steps = 4};
    const auto nothing = prepare_prompt(bundle(), "").context;
    for (const auto* text : {"a <one> and a <two> on the beach", "a mug on the beach"}) {
      const auto asked = prompt(text);
      request.rows.push_back(
          {.context = asked.context, .negative_context = nothing, .edits = asked.edits, .seed = 4, .guidance = 2.5});
    }
    return denoise(bundle(), request, steering);
  }
  static GuidedRow first_row() {
    const auto asked = prompt("a <one> and a <two> on the beach");
    return {.row = 0, .context = asked.context, .edits = asked.edits, .concepts = concept_tokens(asked)};
  }
};

TEST_F(Guiding, KnowsWhereTwoConceptsStandAndIsOffForFewer) {
  const auto two = concept_tokens(prompt("a <one> and a <two> on the beach"));
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(two[0].word, 2);
  EXPECT_EQ(two[1].identifier, 5);
  EXPECT_TRUE(concept_tokens(prompt("a <one> on the beach")).empty());
}

TEST_F(Guiding, IsNotThereWhenItIsOff) {  // invariants 16 and 17
  const auto before = bundle().parameter_digest();
  Steering none;
  const auto plain = drawn(none);
  ConceptAttention nobody(bundle(), {}, {}, none), no_step(bundle(), {first_row()}, {.step_size = 0}, none);
  EXPECT_TRUE(torch::equal(drawn(nobody), plain));
  EXPECT_TRUE(torch::equal(drawn(no_step), plain));
  ConceptAttention on(bundle(), {first_row()}, {.step_size = 1}, none);
  const auto guided = drawn(on);
  EXPECT_FALSE(torch::equal(guided[0], plain[0]));
  EXPECT_TRUE(torch::equal(guided[1], plain[1]));  // who names no concept is drawn as ever
  EXPECT_TRUE(guided.isfinite().all().item<bool>());
  EXPECT_EQ(bundle().parameter_digest(), before);
}

TEST_F(Guiding, AStepLowersTheLossAndOtherSamplersAreReadAsTheyScale) {
  struct Watch final : Steering {
    void before_step(Step& step) override {
      if (step.index == 0) first = step;
    }
    Step first;
  } watch;
  for (const auto* sampler : {"ddim", "euler"}) {
    drawn(watch, sampler);
    const auto row = first_row();
    Steering none;
    ConceptAttention guidance(bundle(), {row}, {.step_size = .05}, none);
    const auto loss = [&](const Tensor& latents) {
      const torch::NoGradGuard no_grad;
      const auto scheduler = make_scheduler(bundle().scheduler_config, sampler);
      scheduler->set_timesteps(4);
      const auto input = scheduler->scale_model_input(latents.slice(0, 0, 1), 0);
      return value(attention_loss(guidance.maps(input, watch.first.timestep)[0], row.concepts, {}));
    };
    auto step = watch.first;
    step.model_input = [&](const Tensor& latents) {
      const auto scheduler = make_scheduler(bundle().scheduler_config, sampler);
      scheduler->set_timesteps(4);
      return scheduler->scale_model_input(latents, 0);
    };
    guidance.before_step(step);
    EXPECT_LT(loss(step.latents), loss(watch.first.latents)) << sampler;
    EXPECT_EQ(guidance.weakest().size(), 1u);
  }
}

TEST_F(Guiding, CanBeStopped) {
  struct Stop final : Steering {
    void before_step(Step& step) override {
      if (step.index == 1) throw std::runtime_error("stop");
    }
  } stop;
  ConceptAttention guidance(bundle(), {first_row()}, {}, stop);
  EXPECT_THROW(drawn(guidance), std::runtime_error);
}

}  // namespace
}  // namespace conceptd::diffusion
