// Goal: the autoencoder says what diffusers' AutoencoderKL says.
#include "diffusion/autoencoder_kl.h"

#include <gtest/gtest.h>

#include "tests/diffusion/golden_models.h"
#include "tests/support/expect_error.h"

namespace conceptd::diffusion {
namespace {

TEST(Autoencoder, EncodesAsTheGolden) {
  torch::NoGradGuard guard;
  const auto golden = golden_tensors("vae.safetensors");
  auto vae = golden_vae();
  const auto& picture = golden.at("image");
  const auto moments = vae->quant_conv(vae->encoder(picture));
  test::expect_close_or_relative(moments, golden.at("moments"), kNetworkLimit, "vae moments");
  const auto posterior = vae->encode(picture);
  test::expect_close_or_relative(posterior.mean, golden.at("mean"), kNetworkLimit, "vae mean");
  test::expect_close_or_relative(posterior.logvar, golden.at("logvar"), kNetworkLimit, "vae logvar");
  test::expect_close_or_relative(posterior.std(), golden.at("std"), kNetworkLimit, "vae std");
  const auto sampled = posterior.mean + posterior.std() * golden.at("noise");
  test::expect_close_or_relative(sampled, golden.at("sampled"), kNetworkLimit, "vae sampled");
  const auto scaled = sampled * vae->config.scaling_factor;
  test::expect_close_or_relative(scaled, golden.at("latents_scaled"), kNetworkLimit, "vae latents_scaled");
  test::expect_close_relative(posterior.kl(), golden.at("kl"), kNetworkLimit, "vae kl");
}

TEST(Autoencoder, DecodesAsTheGolden) {
  torch::NoGradGuard guard;
  const auto golden = golden_tensors("vae.safetensors");
  auto vae = golden_vae();
  const auto& latent = golden.at("decode_in");
  test::expect_close(vae->decode(latent), golden.at("decode_out"), kNetworkLimit, "vae decode_out");
  test::expect_close(vae->decode(latent / vae->config.scaling_factor), golden.at("decode_unscaled_out"), kNetworkLimit,
                     "vae decode_unscaled_out");
}

TEST(Autoencoder, ItsConfigurationGoesRoundAndNamesWhatItCannotDo) {
  const auto json = golden_json("tiny-sd/vae/config.json");
  const auto config = AutoencoderKLConfig::from_json(json);
  EXPECT_EQ(AutoencoderKLConfig::from_json(config.to_json()).to_json(), config.to_json());
  auto changed = json;
  changed["use_quant_conv"] = false;
  EXPECT_ERROR(AutoencoderKLConfig::from_json(changed), Code::invalid, "use_quant_conv");
  changed = json;
  changed["norm_num_groups"] = 5;
  EXPECT_ERROR(AutoencoderKLConfig::from_json(changed), Code::invalid, "norm_num_groups");
  changed = json;
  changed["down_block_types"][0] = "AttnDownEncoderBlock2D";
  EXPECT_ERROR(AutoencoderKLConfig::from_json(changed), Code::invalid, "down_block_types");
}

}  // namespace
}  // namespace conceptd::diffusion
