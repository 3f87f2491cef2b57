#include "learner/pretrain/grow.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "diffusion/safetensors.h"
#include "tests/support/temp_folder.h"

namespace conceptd::pretrain {
namespace {
using diffusion::UNet2DConditionModel;

diffusion::UNetConfig small(std::vector<int64_t> layers) {
  diffusion::UNetConfig config;
  config.in_channels = config.out_channels = 3, config.cross_attention_width = 8, config.norm_groups = 4;
  config.block_out_channels = {8, 16}, config.heads = {2, 2}, config.transformer_layers = {1, 1};
  config.attention = {false, true}, config.sample_size = 8, config.layers_per_block = std::move(layers);
  return config;
}

std::filesystem::path saved(UNet2DConditionModel& unet, const std::filesystem::path& folder) {
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& item : unet->named_parameters()) tensors[item.key()] = item.value().detach().contiguous();
  diffusion::save_safetensors(folder / "unet.safetensors", tensors, {});
  return folder / "unet.safetensors";
}

torch::Tensor answer(UNet2DConditionModel& unet) {
  torch::NoGradGuard guard;
  torch::manual_seed(5);
  diffusion::Adaptation base;
  return unet(torch::randn({2, 3, 8, 8}), torch::tensor({100, 700}), torch::randn({2, 4, 8}), base);
}

TEST(Grow, TheDeeperNetAnswersAsTheOneBefore) {
  const test::TempFolder folder;
  torch::manual_seed(1);
  UNet2DConditionModel before(small({1, 1})), grown(small({3, 2}));
  load_grown(saved(before, folder.path()), grown);
  const auto one = answer(before), other = answer(grown);
  EXPECT_LT((one - other).abs().max().item<double>(), 1e-5 * one.abs().max().item<double>());
}

TEST(Grow, WhatIsNewLearns) {
  const test::TempFolder folder;
  UNet2DConditionModel before(small({1, 1})), grown(small({3, 2}));
  load_grown(saved(before, folder.path()), grown);
  diffusion::Adaptation base;
  grown(torch::randn({2, 3, 8, 8}), torch::tensor({100, 700}), torch::randn({2, 4, 8}), base).pow(2).sum().backward();
  auto parameters = grown->named_parameters();
  for (const char* key : {"down_blocks.0.resnets.2.conv2.weight", "up_blocks.1.resnets.1.conv2.weight",
                          "up_blocks.0.attentions.1.proj_out.weight"}) {
    EXPECT_GT(parameters[key].grad().abs().sum().item<double>(), 0) << key;
  }
}

TEST(Grow, RefusesWhatHasNoPlace) {
  const test::TempFolder folder;
  UNet2DConditionModel deeper(small({2, 1})), shallower(small({1, 1}));
  EXPECT_THROW(load_grown(saved(deeper, folder.path()), shallower), Error);
}

TEST(Grow, RefusesAFileThatLacksATrainedBlocksKey) {
  const test::TempFolder folder;
  UNet2DConditionModel before(small({1, 1})), grown(small({3, 2}));
  const auto file = saved(before, folder.path());
  auto tensors = diffusion::load_safetensors(file);
  ASSERT_EQ(tensors.erase("down_blocks.0.resnets.0.norm1.weight"), 1u);
  diffusion::save_safetensors(folder.path() / "less.safetensors", tensors, {});
  EXPECT_THROW(load_grown(folder.path() / "less.safetensors", grown), Error);
}

}  // namespace
}  // namespace conceptd::pretrain
