#include <gtest/gtest.h>

#include "embedded_base.h"
#include "learner/objective.h"
#include "learner/settling.h"
#include "learner/step_settings.h"

namespace conceptd::learner {
namespace {

TEST(MaskedLoss, IsThePlainErrorWhereTheMaskIsOne) {
  const auto a = torch::randn({2, 6, 4, 4}), b = torch::randn({2, 6, 4, 4});
  EXPECT_NEAR(masked_loss(a, b, torch::ones({2, 1, 4, 4})).item<double>(), (a - b).pow(2).mean().item<double>(), 1e-6);
}

TEST(MaskedLoss, HasNoGradientWhereTheMaskIsZero) {
  auto a = torch::randn({2, 6, 4, 4}).requires_grad_();
  masked_loss(a, torch::randn({2, 6, 4, 4}), torch::zeros({2, 1, 4, 4})).backward();
  EXPECT_EQ(a.grad().abs().max().item<double>(), 0);
}

TEST(DrawStep, UsesEveryPhotoAndEverySliceOfTheSchedule) {
  auto& base = embedded_base();
  const auto photos = encode_photos(base, photos_of(20), {});
  const auto schedule = diffusion::NoiseSchedule::from_json(base.scheduler_config);
  auto random = torch::make_generator<at::CPUGeneratorImpl>(1);
  const auto draw = draw_step(photos, schedule, 8, random);
  EXPECT_EQ(draw.photo.bincount().min().item<int64_t>(), 2);
  const auto slices = std::get<0>(torch::div(draw.timesteps * 8, schedule.train_steps(), "floor").sort());
  EXPECT_TRUE(torch::equal(slices, torch::arange(8)));
}

TEST(DrawStep, WeighsTimestepsAsTheBaseWasTrained) {
  auto& base = embedded_base();
  const auto photos = encode_photos(base, photos_of(20), torch::ones({4, 1, 64, 64}));
  const auto schedule = diffusion::NoiseSchedule::from_json(base.scheduler_config);
  const auto draw_with = [&](double min_snr) {
    auto random = torch::make_generator<at::CPUGeneratorImpl>(1);
    return draw_step(photos, schedule, 1000, random, min_snr);
  };
  const auto plain = draw_with(0), weighed = draw_with(5);
  EXPECT_TRUE(torch::equal(plain.noisy, weighed.noisy)) << "nothing else changes";
  EXPECT_EQ(plain.mask.min().item<double>(), 1);
  const auto weights = std::get<0>(weighed.mask.flatten(1).max(1)).index_select(0, weighed.timesteps.argsort());
  EXPECT_NEAR(weights.mean().item<double>(), 1, .01);
  const auto alphas = schedule.alphas_cumprod;
  const auto at = [&](int64_t t) {  // sqrt(min(SNR, 5) / (SNR + 1)), but for the mean
    const double snr = alphas[t].item<double>() / (1 - alphas[t].item<double>());
    return std::sqrt(std::min(snr, 5.) / (snr + 1));
  };
  for (const int64_t t : {10, 300, 700}) {
    EXPECT_NEAR(weights[t].item<double>() / weights[500].item<double>(), at(t) / at(500), .02 * at(t) / at(500)) << t;
  }
}

TEST(StepSettings, TakeFromTheBaseWhatNobodySaid) {
  StepSettings said, unsaid;
  said.min_snr = 0;
  const diffusion::LearningDefaults base{.min_snr = 5};
  said.complete(base), unsaid.complete(base);
  EXPECT_EQ(said.min_snr, 0);
  EXPECT_EQ(unsaid.min_snr, 5);
}

TEST(EncodePhotos, ScalesEachMaskToItsOwnLargestValue) {
  const auto photos = encode_photos(embedded_base(), photos_of(20), torch::full({4, 1, 64, 64}, .25));
  EXPECT_NEAR(photos.mask.min().item<double>(), 1, 1e-6);
}

TEST(Settling, IsConstantThenComesToRest) {
  EXPECT_EQ(settling(0, 100, .5), 1);
  EXPECT_EQ(settling(49, 100, .5), 1);
  EXPECT_NEAR(settling(75, 100, .5), .5, 1e-9);
  EXPECT_LT(settling(99, 100, .5), .01);
  EXPECT_EQ(settling(99, 100, 0), 1);
}

TEST(Templates, AreTheBasesOwnWhereItStatesSome) {
  EXPECT_EQ(templates_for(embedded_base()), (std::vector<std::string>{"a {}", "a photo of a {}"}));
}

TEST(Templates, UseOnlyWordsThatTheBaseKnows) {
  auto base = diffusion::ModelBundle::open(embedded_base().folder);
  base.learning.templates.clear();
  const auto templates = templates_for(base);
  EXPECT_GE(templates.size(), 2u);
  for (const auto& text : templates) EXPECT_EQ(text.find("rendering"), text.npos);
}

}  // namespace
}  // namespace conceptd::learner
