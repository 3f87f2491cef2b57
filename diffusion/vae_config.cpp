#include "diffusion/autoencoder_kl.h"
#include "diffusion/config_reader.h"

namespace conceptd::diffusion {

namespace {
void expect_types(ConfigReader& reader, const char* key, std::size_t levels, const std::string& only) {
  if (reader.has(key)) reader.expect(key, std::vector<std::string>(levels, only));
}
}  // namespace

AutoencoderKLConfig AutoencoderKLConfig::from_json(const Json& json) {
  ConfigReader reader(json, "vae/config.json");
  reader.expect("_class_name", "AutoencoderKL");
  AutoencoderKLConfig config;
  config.in_channels = reader.integer("in_channels", 1, 64, config.in_channels);
  config.out_channels = reader.integer("out_channels", 1, 64, config.out_channels);
  config.latent_channels = reader.integer("latent_channels", 1, 1024, config.latent_channels);
  config.block_out_channels = reader.integers("block_out_channels", 1, 16384);
  const auto levels = config.block_out_channels.size();
  if (levels < 1 || levels > 8) throw reader.refuse("block_out_channels", "does not have 1 to 8 levels");
  expect_types(reader, "down_block_types", levels, "DownEncoderBlock2D");
  expect_types(reader, "up_block_types", levels, "UpDecoderBlock2D");
  config.layers_per_block = reader.integer("layers_per_block", 1, 16, config.layers_per_block);
  config.norm_groups = reader.integer("norm_num_groups", 1, 1024, config.norm_groups);
  for (const auto width : config.block_out_channels) {
    if (width % config.norm_groups != 0) throw reader.refuse("norm_num_groups", "does not divide every width");
  }
  config.sample_size = reader.integer("sample_size", 1, 16384, config.sample_size);
  config.scaling_factor = reader.number("scaling_factor", 1e-6, 1e6, config.scaling_factor);
  reader.expect("act_fn", "silu");
  for (const char* key : {"mid_block_add_attention", "use_quant_conv", "use_post_quant_conv"}) reader.expect(key, true);
  for (const char* key : {"latents_mean", "latents_std", "shift_factor"}) reader.expect(key, nullptr);
  reader.ignore({"force_upcast"});  // norms and softmax are fp32 here in any case
  reader.finish();
  return config;
}

Json AutoencoderKLConfig::to_json() const {
  const auto levels = block_out_channels.size();
  return {{"_class_name", "AutoencoderKL"},
          {"act_fn", "silu"},
          {"block_out_channels", block_out_channels},
          {"down_block_types", std::vector<std::string>(levels, "DownEncoderBlock2D")},
          {"in_channels", in_channels},
          {"latent_channels", latent_channels},
          {"layers_per_block", layers_per_block},
          {"norm_num_groups", norm_groups},
          {"out_channels", out_channels},
          {"sample_size", sample_size},
          {"scaling_factor", scaling_factor},
          {"up_block_types", std::vector<std::string>(levels, "UpDecoderBlock2D")}};
}

}  // namespace conceptd::diffusion
