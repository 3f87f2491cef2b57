// Goal: the measure is the specification's number (B10.13), the same for every parametrisation, and 0 exactly where
// nothing is read. Method: worked numbers, then edits of each kind on the embedded base at a prompt that names none.
#include "learner/measures/fisher_divergence.h"

#include <functional>

#include "diffusion/edits/edited.h"
#include "diffusion/token_covariance.h"
#include "embedded_base.h"
#include "tests/support/expect_error.h"

namespace conceptd::learner {
namespace {
using diffusion::EditSet;
using diffusion::NoiseSchedule;
using diffusion::Prediction;

const std::string kPrompt = "a kettle on the beach";

NoiseSchedule schedule_of_base() { return NoiseSchedule::from_json(embedded_base().scheduler_config); }

// The latent shape of the base, and an arbitrary z_0 of it: what it shows does not matter here.
std::vector<int64_t> latent() {
  const auto& config = embedded_base().unet->config;
  return {config.in_channels, config.sample_size, config.sample_size};
}
Tensor original(int seed) {
  torch::manual_seed(seed);
  return torch::randn(latent());
}

std::shared_ptr<EditSet> at_first_value(
    const std::function<void(diffusion::SiteEdits&, int64_t out, int64_t in)>& add) {
  const auto base = diffusion::DeltaBase::of(embedded_base(), nullptr);
  const auto& [site, out] = *base.value_sites.begin();
  auto edits = std::make_shared<EditSet>();
  edits->tokens.push_back({"<thing-1>", torch::randn({1, base.text_width})});
  add(edits->sites[site], out, base.text_width);
  return edits;
}
std::shared_ptr<EditSet> low_rank(double size) {
  return at_first_value([&](auto& site, int64_t out, int64_t in) {
    torch::manual_seed(3);
    site.low_rank.push_back({torch::randn({2, in}), size * torch::randn({out, 2})});
  });
}

struct Measured {
  std::vector<FisherRow> rows;
  FisherDraws draws;
  Tensor frozen;
  FisherDivergence divergence;
};
Measured measure(const std::vector<std::shared_ptr<const EditSet>>& edits, int64_t timesteps = 3) {
  Measured m;
  for (std::size_t k = 0; k < edits.size(); ++k)
    m.rows.push_back(fisher_row(embedded_base(), kPrompt, edits[k], original(static_cast<int>(k))));
  m.draws = fisher_draws(static_cast<int64_t>(edits.size()), timesteps, latent(), schedule_of_base(), 11);
  m.frozen = frozen_predictions(embedded_base(), m.rows, m.draws);
  m.divergence = latent_fisher_divergence(embedded_base(), m.rows, m.draws, m.frozen);
  return m;
}

TEST(FisherDivergence, OfOneConstantEverywhereIsItsSquare) {
  EXPECT_DOUBLE_EQ(fisher_divergence(torch::full({2, 3, 6, 4, 4}, -.5)).mean, .25);
  auto change = torch::zeros({2, 2, 1, 4, 4});
  change[1][0] = 2;  // one row, one time
  const auto some = fisher_divergence(change);
  EXPECT_DOUBLE_EQ(some.mean, 1);
  EXPECT_TRUE(torch::equal(some.by_row, torch::tensor({0., 2.}, torch::kDouble)));
  EXPECT_TRUE(torch::equal(some.by_time, torch::tensor({2., 0.}, torch::kDouble)));
}

TEST(FisherDivergence, IsOfNoisesWhateverTheBasePredicts) {
  auto schedule = schedule_of_base();
  const auto a = torch::randn({6}, torch::kDouble), b = torch::randn({6}, torch::kDouble),
             sample = torch::randn({6}, torch::kDouble);
  for (const auto prediction : {Prediction::Epsilon, Prediction::Velocity, Prediction::Sample}) {
    schedule.prediction = prediction;
    for (const int64_t t : {40, 500, 960}) {
      const auto at = torch::tensor({t});
      const double alpha = schedule.alpha(at).item<double>(), sigma = schedule.sigma(at).item<double>();
      const auto noise = [&](const Tensor& said) {
        return diffusion::read_prediction(prediction, said, sample, alpha, sigma).noise;
      };
      const auto ours = (a - b) * noise_factor(schedule, at).item<double>();
      EXPECT_TRUE(torch::allclose(ours, noise(a) - noise(b), 1e-5, 1e-9));
    }
  }
}

TEST(FisherDraws, TakeEveryPartOfTheScheduleOnceAndStayWhatTheyWere) {
  const auto schedule = schedule_of_base();
  const auto draws = fisher_draws(5, 20, {2, 4, 4}, schedule, 1), more = fisher_draws(7, 20, {2, 4, 4}, schedule, 1);
  const auto part = torch::div(draws.timesteps * 20, schedule.train_steps(), "floor");
  EXPECT_TRUE(torch::equal(part, torch::arange(20).expand({5, 20})));
  EXPECT_TRUE(torch::equal(draws.timesteps, more.timesteps.slice(0, 0, 5)));
  EXPECT_TRUE(torch::equal(draws.noise, more.noise.slice(0, 0, 5)));
  EXPECT_FALSE(torch::equal(draws.timesteps[0], draws.timesteps[1]));
  EXPECT_FALSE(torch::equal(draws.noise, fisher_draws(5, 20, {2, 4, 4}, schedule, 2).noise));
}

TEST(FisherDivergence, IsWhatOneComputesByHand) {
  auto& base = embedded_base();
  const auto edits = low_rank(.2);
  const auto m = measure({edits});
  const auto schedule = schedule_of_base();
  const auto times = m.draws.timesteps[0];
  const auto noisy = schedule.add_noise(original(0).expand_as(m.draws.noise[0]), m.draws.noise[0], times);
  const auto text = m.rows[0].frozen_context.expand({3, -1, -1});
  torch::NoGradGuard guard;
  diffusion::Adaptation frozen;
  diffusion::Edited customised(diffusion::Edited::Rows(3, edits));
  const auto ours = base.unet(noisy, times, text, customised), theirs = base.unet(noisy, times, text, frozen);
  for (int64_t k = 0; k < 3; ++k) {
    const auto at = times.slice(0, k, k + 1);
    const auto noise = [&](const Tensor& said) {
      return diffusion::read_prediction(schedule.prediction, said[k], noisy[k], schedule.alpha(at).item<double>(),
                                        schedule.sigma(at).item<double>())
          .noise;
    };
    const double expected = (noise(ours) - noise(theirs)).pow(2).mean().item<double>();
    EXPECT_GT(expected, 1e-9);
    EXPECT_NEAR(m.divergence.by_time[k].item<double>(), expected, 1e-3 * expected);
  }
  EXPECT_NEAR(m.divergence.mean, m.divergence.by_time.mean().item<double>(), 1e-12);
}

TEST(FisherDivergence, IsZeroWhereNothingIsReadAndOnlyThere) {
  const auto residual = at_first_value([](auto& site, int64_t out, int64_t) {
    site.residual.push_back({torch::randn({out}), {}, "<thing-1>"});
  });
  const auto word = std::make_shared<EditSet>();
  word->tokens.push_back({"<thing-1>", torch::randn({1, embedded_base().text_encoder->config.hidden_size})});
  const auto input = diffusion::TokenCovariance::of(embedded_base());
  const auto gated = at_first_value([&](auto& site, int64_t out, int64_t in) {
    const auto target = torch::randn({in});
    site.rank_one.push_back({target, input.key_of(target), torch::randn({out})});
  });
  // nothing learnt, Infusion, textual inversion, a LoRA that does nothing, one that does, Perfusion without its bypass
  const auto m = measure({nullptr, residual, word, low_rank(0), low_rank(.2), gated});
  const std::vector<bool> reads{false, false, false, true, true, true};
  for (std::size_t k = 0; k < reads.size(); ++k) EXPECT_EQ(m.rows[k].reads_an_edit(), reads[k]) << k;
  const auto of = [&](int64_t row) { return m.divergence.by_row[row].item<double>(); };
  for (const int64_t row : {0, 1, 2, 3}) EXPECT_EQ(of(row), 0.0) << row;
  EXPECT_GT(of(4), 1e-9);
  EXPECT_GT(of(5), 1e-12);
}

TEST(FisherDivergence, RefusesWhatItCannotMeasure) {
  auto& base = embedded_base();
  EXPECT_ERROR(fisher_row(base, "a <thing-1> on the beach", low_rank(1), original(0)).reads_an_edit(), Code::invalid,
               "names a concept");
  const auto m = measure({nullptr}, 1);
  auto half = base;
  half.compute = torch::kBFloat16;
  EXPECT_ERROR(frozen_predictions(half, m.rows, m.draws), Code::invalid, "fp32");
  EXPECT_ERROR(frozen_predictions(base, {m.rows[0], m.rows[0]}, m.draws), Code::invalid, "every row");
  EXPECT_ERROR(latent_fisher_divergence(base, m.rows, m.draws, m.frozen[0]), Code::invalid, "these draws");
}

}  // namespace
}  // namespace conceptd::learner
