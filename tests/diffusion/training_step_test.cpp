// Goal: a training step is the reference's: prediction, losses, gradients, then what the optimiser makes of them.
// Method: as in llm.c. The gradients of every cross-attention key and value weight are taken through an Adaptation that
// answers with copies of the weights, so the frozen model itself never learns.
#include <gtest/gtest.h>

#include "diffusion/schedulers/noise_schedule.h"
#include "diffusion/schedulers/scheduler.h"
#include "tests/diffusion/golden_models.h"

namespace conceptd::diffusion {
namespace {

// Answers with weights of its own, where it has some.
struct OwnWeights : Adaptation {
  Tensor linear(AdaptedLinearImpl& base, const Tensor& x) override {
    const auto own = weights.find(base.site.path + ".weight");
    return own == weights.end() ? base.plain(x) : torch::linear(x, own->second, base.bias);
  }
  TensorMap weights;
};

struct Step {
  explicit Step(const std::string& prediction) : prefix(prediction + ".") {
    auto config = golden_json("tiny-sd/scheduler/scheduler_config.json");
    config["prediction_type"] = prediction;
    schedule = NoiseSchedule::from_json(config);
    rows = golden.at("extra_embeddings").clone().requires_grad_();
    const std::string grad = prefix + "grad.";
    auto parameters = golden_unet()->named_parameters();
    for (const auto& [name, tensor] : golden) {
      if (!name.starts_with(grad) || !parameters.contains(name.substr(grad.size()))) continue;
      const auto key = name.substr(grad.size());
      adapt.weights[key] = parameters[key].detach().clone().requires_grad_();
    }
    Adaptation frozen;
    const auto context =
        golden_text_encoder()->forward(golden.at("input_ids"), frozen, {.placeholder_rows = rows}).last_hidden_state;
    const auto noisy = schedule.add_noise(golden.at("x0"), golden.at("noise"), golden.at("timesteps"));
    prediction_out = golden_unet()(noisy, golden.at("timesteps"), context, adapt);
    const auto target = schedule.target(golden.at("x0"), golden.at("noise"), golden.at("timesteps"));
    errors = (prediction_out - target).pow(2);
  }
  Tensor per_sample() const { return errors.flatten(1).mean(1); }
  void check(const Tensor& actual, const std::string& name, double limit, bool relative = false) const {
    const auto expect = relative ? test::expect_close_relative : test::expect_close;
    expect(actual, golden.at(name), limit, "training_step " + name);
  }
  TensorMap golden = golden_tensors("training_step.safetensors");
  std::string prefix;
  NoiseSchedule schedule;
  Tensor rows, prediction_out, errors;
  OwnWeights adapt;
};

class TrainingStep : public testing::TestWithParam<std::string> {};

TEST_P(TrainingStep, PredictsLosesAndDifferentiatesAsTheGolden) {
  Step step(GetParam());
  const auto& prefix = step.prefix;
  ASSERT_FALSE(step.adapt.weights.empty());
  step.check(step.prediction_out, prefix + "pred", kNetworkLimit);
  const auto loss = step.errors.mean();
  step.check(loss, prefix + "loss", kNetworkLimit);
  step.check(step.per_sample(), prefix + "loss_per_sample", kNetworkLimit);
  loss.backward();
  step.check(step.rows.grad(), prefix + "grad.extra_embeddings", kGradientLimit, true);
  auto squares = torch::zeros({});
  for (const auto& [key, weight] : step.adapt.weights) {
    step.check(weight.grad(), prefix + "grad." + key, kGradientLimit, true);
    squares = squares + weight.grad().pow(2).sum();
  }
  step.check(squares.sqrt(), prefix + "grad_norm_kv", kGradientLimit, true);
  for (auto model : {golden_unet().ptr()->parameters(), golden_text_encoder().ptr()->parameters()}) {
    for (const auto& parameter : model) EXPECT_FALSE(parameter.grad().defined());
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, TrainingStep, testing::Values("epsilon", "v_prediction"));

TEST(TrainingStep, WeighsPriorAndSignalAsTheGolden) {
  const Step step("epsilon");
  const auto halves = step.errors.chunk(2, 0);
  step.check(halves[0].mean() + 1.0 * halves[1].mean(), "prior_preservation_loss_w1", kNetworkLimit);
  const auto snr = step.schedule.snr(step.golden.at("timesteps"));
  step.check((step.per_sample() * snr.clamp_max(5) / snr).mean(), "min_snr5_loss", kNetworkLimit);
}

TEST(TrainingStep, ThreeStepsOfAdamWAreTheGoldens) {
  const Step step("epsilon");
  const std::string first = "adamw.after1.";
  for (const auto& [name, value] : step.golden) {
    if (!name.starts_with(first)) continue;
    const auto key = name.substr(first.size());
    auto weight = golden_unet()->named_parameters()[key].detach().clone().requires_grad_();
    torch::optim::AdamW optimizer({weight}, torch::optim::AdamWOptions(1e-3).weight_decay(1e-2));
    for (int k = 1; k <= 3; ++k) {
      weight.mutable_grad() = step.golden.at("epsilon.grad." + key) * k;
      optimizer.step();
      step.check(weight.detach(), "adamw.after" + std::to_string(k) + "." + key, 1e-6);
    }
  }
}

}  // namespace
}  // namespace conceptd::diffusion
