// The autoencoder's stages on a folder of their own, a few steps each.
#include <gtest/gtest.h>

#include <filesystem>

#include "core/file_io.h"
#include "diffusion/autoencoder_kl.h"
#include "learner/pretrain/checkpoint.h"
#include "learner/pretrain/stages.h"

namespace conceptd::pretrain {
namespace {

diffusion::TensorMap weights_of(const std::filesystem::path& vae) {
  auto config = nlohmann::json::parse(read_file(vae / "config.json", 1 << 20));
  diffusion::AutoencoderKL module(diffusion::AutoencoderKLConfig::from_json(config));
  load_component(vae / "diffusion_pytorch_model.safetensors", *module);
  diffusion::TensorMap weights;
  for (const auto& item : module->named_parameters()) weights[item.key()] = item.value().detach();
  return weights;
}

TEST(DecoderStage, MovesTheDecoderAndNothingThatLatentsDependOn) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "decoder_stage";
  std::filesystem::remove_all(folder);
  StageOptions options;
  options.run = folder / "run", options.out = folder / "base";
  options.steps = 2, options.micro_batch = 2, options.micro_batches = 2;
  train_autoencoder(options);
  const auto config = read_file(options.out / "vae" / "config.json", 1 << 20);
  const auto before = weights_of(options.out / "vae");
  options.steps = 4;
  train_decoder(options);
  EXPECT_EQ(read_file(options.out / "vae" / "config.json", 1 << 20), config);  // the scale of latents above all
  int64_t moved = 0;
  for (const auto& [key, after] : weights_of(options.out / "vae")) {
    const bool decodes = key.starts_with("decoder.") || key.starts_with("post_quant_conv.");
    if (decodes) {
      moved += !torch::equal(after, before.at(key));
    } else {
      EXPECT_TRUE(torch::equal(after, before.at(key))) << key;
    }
  }
  EXPECT_GT(moved, 0);
}

}  // namespace
}  // namespace conceptd::pretrain
