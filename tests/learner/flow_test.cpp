// Goal: what the embedded MM-DiT is trained by: times where things are decided, a loss that falls, a start at zero, and
// bf16 that is near fp32. Method: a net of a few thousand values and latents of one colour.
#include "learner/pretrain/flow.h"

#include <gtest/gtest.h>

#include "diffusion/schedulers/scheduler.h"
#include "learner/pretrain/adam.h"
#include "learner/pretrain/flat_parameters.h"
#include "learner/pretrain/stages.h"
#include "tests/support/expect_error.h"

namespace conceptd::pretrain {
namespace {

using diffusion::FluxPrompt;

diffusion::FluxConfig small() {
  diffusion::FluxConfig config;
  config.in_channels = 8, config.joint_attention_dim = config.pooled_projection_dim = 6;
  config.num_attention_heads = 2, config.attention_head_dim = 8, config.axes_dims_rope = {2, 2, 4};
  config.num_layers = config.num_single_layers = 1;
  return config;
}

FluxPrompt prompt_of(int64_t b) { return {torch::ones({b, 3, 6}), torch::ones({b, 6})}; }

TEST(FlowTimes, LieWhereThingsAreDecidedAndReachTheEnds) {
  torch::manual_seed(1);
  const auto times = flow_times(20000);
  EXPECT_GE(times.min().item<double>(), 0);
  EXPECT_LE(times.max().item<double>(), 1);
  const auto share = [&](double from, double to) {
    return ((times >= from) & (times < to)).to(torch::kFloat).mean().item<double>();
  };
  EXPECT_NEAR(times.median().item<double>(), 2. / 3, .02);  // sigmoid(log 2)
  EXPECT_GT(share(.6, .85), .4);
  EXPECT_GT(share(.99, 1), .0005);
  EXPECT_GT(share(0, .02), .0005);
}

TEST(FlowLoss, BeginsAtTheSpreadOfItsTargetAndFalls) {
  torch::manual_seed(2);
  diffusion::FluxTransformer2DModel model(small());
  begin_weights(model);
  diffusion::Adaptation full;
  const auto latents = torch::full({16, 2, 4, 4}, 2.);
  const auto first = flow_loss(model, latents, prompt_of(16), full);
  EXPECT_NEAR(first.mean.item<double>(), 5, .7);  // it answers zero: E (noise - 2)^2
  FlatParameters flat(*model);
  std::vector<diffusion::FluxTransformer2DModel> replicas{model};
  auto gradients = flat.replicate(replicas);
  Adam adam(flat.values(), {});
  Workers workers(1);
  double last = 0;
  for (int step = 0; step < 60; ++step) {
    const auto loss = flow_loss(model, latents, prompt_of(16), full);
    loss.mean.backward();
    adam.step(workers, gradients, 1e-2, step);
    last = loss.mean.item<double>();
  }
  EXPECT_LT(last, .6 * first.mean.item<double>());
}

TEST(FlowLoss, InHalfTheBitsIsNearAndLearnsTheSameValues) {
  torch::manual_seed(3);
  diffusion::FluxTransformer2DModel model(small());
  diffusion::Adaptation full;
  HalfLinears half;
  const auto latents = torch::randn({4, 2, 4, 4});
  const auto gradient = [&](diffusion::Adaptation& adapt) {
    torch::manual_seed(9);
    for (auto& parameter : model->parameters()) parameter.mutable_grad() = Tensor();
    const auto loss = flow_loss(model, latents, prompt_of(4), adapt).mean;
    loss.backward();
    return std::pair(loss.item<double>(), model->x_embedder->weight.grad().clone());
  };
  const auto expected = gradient(full), found = gradient(half);
  EXPECT_NEAR(found.first, expected.first, .02 * expected.first);
  EXPECT_EQ(found.second.scalar_type(), torch::kFloat);
  EXPECT_LT((found.second - expected.second).norm().item<double>(), .05 * expected.second.norm().item<double>());
  EXPECT_FALSE(torch::equal(found.second, expected.second));
}

TEST(SampleFlow, IsTheSamePictureOfTheSameSeed) {
  torch::manual_seed(4);
  diffusion::FluxTransformer2DModel model(small());
  const auto nothing = FluxPrompt{torch::zeros({1, 3, 6}), torch::zeros({1, 6})};
  const auto draw = [&](std::uint64_t seed, double guidance) {
    return sample_flow(model, prompt_of(2), nothing, 4, 3, guidance, seed);
  };
  EXPECT_EQ(draw(1, 2).sizes(), (at::IntArrayRef{2, 2, 4, 4}));
  EXPECT_TRUE(torch::equal(draw(1, 2), draw(1, 2)));
  EXPECT_FALSE(torch::allclose(draw(1, 2), draw(2, 2), 1e-3, 1e-3));
  EXPECT_FALSE(torch::allclose(draw(1, 2), draw(1, 1), 1e-3, 1e-3));
  EXPECT_TRUE(diffusion::is_flow_schedule(flow_scheduler_config()));
}

TEST(MmditStage, DoesNotWriteIntoTheBaseThatItReads) {
  StageOptions options;
  options.base = options.out = CONCEPTD_SOURCE_DIR "/models/tiny-64";
  EXPECT_ERROR(assemble_mmdit(options), Code::invalid, "--out");
  options.out = CONCEPTD_SOURCE_DIR "/models/../models/tiny-64";
  EXPECT_ERROR(train_mmdit(options), Code::invalid, "--out");
}

}  // namespace
}  // namespace conceptd::pretrain
