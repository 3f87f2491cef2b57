// Goal: an individual's row says all that it looks like, and nobody else's row changes. Method: by construction.
#include "learner/pretrain/individuals.h"

#include <gtest/gtest.h>

#include "learner/pretrain/noun_attention.h"
#include "learner/pretrain/stages.h"

namespace conceptd::pretrain {
namespace {

constexpr int64_t kWidth = 48;

std::vector<world::Scene> scenes_of_two() {
  auto random = task_random(0x1d, 0, 0);
  std::vector<world::Scene> scenes;
  while (scenes.size() < 3) {
    auto scene = world::sample_scene(random, {.two_objects = 1});
    if (scene.objects.size() == 2) scenes.push_back(std::move(scene));
  }
  return scenes;
}

TEST(Individuals, OfTheSameWordsAreToldApart) {
  auto random = task_random(0x1d, 1, 0);
  const auto& thing = world::held_out()[0].instance;
  const auto sibling = world::sample_sibling(thing, random);
  EXPECT_TRUE(torch::equal(attributes_of(thing), attributes_of(thing)));
  EXPECT_GT((attributes_of(thing) - attributes_of(sibling)).norm().item<double>(), .5);
  EXPECT_LE(attributes_of(thing).abs().max().item<double>(), 2);
  const Individuals individuals(kWidth, 1);
  EXPECT_FALSE(torch::allclose(individuals.said_of(thing), individuals.said_of(sibling)));
  EXPECT_TRUE(torch::equal(individuals.said_of(thing), Individuals(kWidth, 1).said_of(thing))) << "in every run";
}

TEST(Individuals, AreSaidAtTheirNounsAlone) {
  const auto scenes = scenes_of_two();
  const Individuals individuals(kWidth, .5);
  const auto nouns = find_nouns({"a mug and a cat on the beach", "a mug and a cat", ""}, scenes);
  const auto said = individuals.said_in(nouns.tokens, scenes, {true, false, true});
  EXPECT_TRUE(torch::allclose(said[0][2], individuals.said_of(scenes[0].objects[0].instance)));
  EXPECT_TRUE(torch::allclose(said[0][5], individuals.said_of(scenes[0].objects[1].instance)));
  EXPECT_EQ(said[0].abs().sum(-1).count_nonzero().item<int64_t>(), 2);
  EXPECT_EQ(said.slice(0, 1).abs().max().item<double>(), 0) << "no individual, no noun";
}

}  // namespace
}  // namespace conceptd::pretrain
