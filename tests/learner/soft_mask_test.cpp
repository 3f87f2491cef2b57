// Goal: the guess of where the subject is agrees with the truth of the world. Method: overlap with the true mask over
// many photos.
#include "learner/soft_mask.h"

#include <gtest/gtest.h>

#include "embedded_base.h"

namespace conceptd::learner {
namespace {

TEST(SoftMasks, LieOnTheSubject) {
  auto random = pretrain::task_random(3, 0, 0);
  std::vector<world::Scene> scenes;
  for (int k = 0; k < 60; ++k) scenes.push_back(world::photograph(world::sample_instance(random, {}), random));
  const auto guess = soft_masks(pretrain::render_scenes(scenes)), truth = pretrain::masks_of(scenes);
  const auto inside = (guess * truth).sum({1, 2, 3}) / truth.sum({1, 2, 3});
  const auto outside = (guess * (1 - truth)).sum({1, 2, 3}) / (1 - truth).sum({1, 2, 3});
  EXPECT_GT(inside.mean().item<double>(), .6);
  EXPECT_LT(outside.mean().item<double>(), .25);
}

TEST(SoftMasks, AreBetweenZeroAndOneAndReachOne) {
  const auto masks = soft_masks(torch::rand({3, 3, 64, 64}) * 2 - 1);
  EXPECT_GE(masks.min().item<double>(), 0);
  EXPECT_NEAR(masks.amax({1, 2, 3}).min().item<double>(), 1, 1e-5);
}

}  // namespace
}  // namespace conceptd::learner
