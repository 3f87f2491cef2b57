#include "learner/pretrain/noun_attention.h"

#include <gtest/gtest.h>

namespace conceptd::pretrain {
namespace {

world::Scene two_things() {
  world::Random random(3);
  for (;;) {
    auto scene = world::sample_scene(random, {.two_objects = 1});
    if (scene.objects[0].instance.shape != scene.objects[1].instance.shape) return scene;
  }
}

TEST(Nouns, StandWhereTheCaptionSaysThem) {
  const auto scene = two_things();
  const auto word = [&](std::size_t k) {
    return std::string(world::shape_words()[static_cast<std::size_t>(scene.objects[k].instance.shape)]);
  };
  const std::vector<world::Scene> scenes(2, scene);
  const auto nouns = find_nouns({"a red " + word(0) + " and a " + word(1) + " on the beach", ""}, scenes);
  EXPECT_EQ(nouns.tokens[0][0][3].item<float>(), 1);  // start, a, red, noun
  EXPECT_EQ(nouns.tokens[0][1][6].item<float>(), 1);
  EXPECT_EQ(nouns.tokens[0].sum().item<float>(), 2);
  EXPECT_EQ(nouns.tokens[1].sum().item<float>(), 0);
  const auto half = world::kSide / 2;  // two stand side by side, left first
  EXPECT_GT(nouns.masks[0][0].slice(1, 0, half).sum().item<float>(), 100);
  EXPECT_LT(nouns.masks[0][0].slice(1, half).sum().item<float>(), 40);
  EXPECT_GT(nouns.masks[0][1].slice(1, half).sum().item<float>(), 100);
}

// A query of 8x8 places and keys of 32 tokens, one channel a token: attention is chosen by hand.
diffusion::Attend attention_to(const torch::Tensor& share_of_noun, int64_t noun) {
  auto logits = torch::zeros({1, 1, 64, 32});
  const auto rest = ((1 - share_of_noun) / 31).log(), own = share_of_noun.log();
  logits[0][0] = rest.unsqueeze(1).expand({64, 32}).clone();
  logits[0][0].select(1, noun).copy_(own);
  return {logits * std::sqrt(32.), torch::eye(32).view({1, 1, 32, 32}), torch::zeros({1, 1, 32, 1}), {}};
}

TEST(NounAttention, IsLeastWhereHalfOfTheAttentionIsOnTheThingAndNoneBesideIt) {
  auto mask = torch::zeros({1, 2, 64, 64});
  mask[0][0].slice(0, 16, 48).slice(1, 16, 48).fill_(1);
  auto tokens = torch::zeros({1, 2, 32});
  tokens[0][0][2] = 1;
  const auto inside = torch::adaptive_avg_pool2d(mask[0], {8, 8})[0].flatten();
  const auto score = [&](double in, double out) {
    NounAttention watched({tokens, mask});
    auto attend = attention_to(out + (in - out) * inside, 2);
    watched.route({"mid_block.attentions.0.transformer_blocks.0.attn1"}, attend);  // self-attention is not asked
    watched.route({"mid_block.attentions.0.transformer_blocks.0.attn2"}, attend);
    return std::pair(watched.loss().item<double>(), watched.share());
  };
  const auto [wanted, share] = score(.5, .001);
  EXPECT_NEAR(share, .5, 1e-3);
  EXPECT_LT(wanted, score(.2, .001).first);
  EXPECT_LT(wanted, score(.9, .001).first);
  EXPECT_LT(wanted, score(.5, .2).first);
}

TEST(NounAttention, AsksNothingOfRowsWithoutWords) {
  NounAttention watched({torch::zeros({1, 2, 32}), torch::ones({1, 2, 64, 64})});
  auto attend = attention_to(torch::full({64}, .3f), 2);
  watched.route({"mid_block.attentions.0.transformer_blocks.0.attn2"}, attend);
  EXPECT_EQ(watched.loss().item<double>(), 0);
}

}  // namespace
}  // namespace conceptd::pretrain
