#include <algorithm>

#include "diffusion/config_reader.h"
#include "diffusion/unet_2d_condition.h"

namespace conceptd::diffusion {

namespace {
constexpr const char* kDown[] = {"DownBlock2D", "CrossAttnDownBlock2D"};
constexpr const char* kUp[] = {"UpBlock2D", "CrossAttnUpBlock2D"};
constexpr const char* kMid = "UNetMidBlock2DCrossAttn";

void read_block_types(ConfigReader& reader, UNetConfig& config) {
  const auto levels = config.block_out_channels.size();
  const auto down = reader.texts("down_block_types"), up = reader.texts("up_block_types");
  if (down.size() != levels) throw reader.refuse("down_block_types", "does not have one entry a level");
  config.attention.clear();
  for (const auto& type : down) {
    if (type != kDown[0] && type != kDown[1])
      throw reader.refuse("down_block_types", "has '" + type + "', not supported");
    config.attention.push_back(type == kDown[1]);
  }
  for (std::size_t k = 0; k < levels; ++k) {
    if (up.size() != levels || up[k] != kUp[config.attention[levels - 1 - k]]) {
      throw reader.refuse("up_block_types", "does not mirror down_block_types");
    }
  }
  reader.expect("mid_block_type", kMid);
}

void check_divisors(const ConfigReader& reader, const UNetConfig& config) {
  const auto& widths = config.block_out_channels;
  if (widths[0] % 2 != 0) throw reader.refuse("block_out_channels", "begins with an odd number");
  for (std::size_t level = 0; level < widths.size(); ++level) {
    if (widths[level] % config.norm_groups != 0) throw reader.refuse("norm_num_groups", "does not divide every width");
    const bool attends = config.attention[level] || level + 1 == widths.size();
    if (attends && widths[level] % config.heads[level] != 0) {
      throw reader.refuse("attention_head_dim", "(the number of heads) does not divide every width");
    }
  }
}

void refuse_variants(ConfigReader& reader) {  // of UNet2DConditionModel that this one is not
  for (const char* key :
       {"addition_embed_type", "addition_time_embed_dim", "class_embed_type", "cross_attention_norm", "encoder_hid_dim",
        "encoder_hid_dim_type", "mid_block_only_cross_attention", "num_class_embeds", "time_cond_proj_dim",
        "projection_class_embeddings_input_dim", "reverse_transformer_layers_per_block", "time_embedding_act_fn",
        "time_embedding_dim", "timestep_post_act"}) {
    reader.expect(key, nullptr);
  }
  for (const char* key : {"center_input_sample", "class_embeddings_concat", "dual_cross_attention",
                          "only_cross_attention", "resnet_skip_time_act"}) {
    reader.expect(key, false);
  }
  reader.expect("act_fn", "silu");
  reader.expect("attention_type", "default");
  reader.expect("resnet_time_scale_shift", "default");
  reader.expect("time_embedding_type", "positional");
  reader.expect("conv_in_kernel", 3);
  reader.expect("conv_out_kernel", 3);
  reader.expect("mid_block_scale_factor", 1);
  reader.expect("resnet_out_scale_factor", 1);
  // dropout: for training only. upcast_attention: softmax is fp32 here in any case.
  reader.ignore({"addition_embed_type_num_heads", "dropout", "upcast_attention"});
}
}  // namespace

UNetConfig UNetConfig::from_json(const Json& json) {
  ConfigReader reader(json, "unet/config.json");
  reader.expect("_class_name", "UNet2DConditionModel");
  UNetConfig config;
  config.in_channels = reader.integer("in_channels", 1, 1024, config.in_channels);
  config.out_channels = reader.integer("out_channels", 1, 1024, config.out_channels);
  config.block_out_channels = reader.integers("block_out_channels", 1, 16384);
  const auto levels = config.block_out_channels.size();
  if (levels < 1 || levels > 8) throw reader.refuse("block_out_channels", "does not have 1 to 8 levels");
  read_block_types(reader, config);
  config.layers_per_block.assign(levels, 2);
  if (reader.has("layers_per_block")) config.layers_per_block = reader.per_level("layers_per_block", levels, 1, 16);
  config.transformer_layers.assign(levels, 1);
  if (reader.has("transformer_layers_per_block")) {
    config.transformer_layers = reader.per_level("transformer_layers_per_block", levels, 1, 32);
  }
  config.cross_attention_width = reader.integer("cross_attention_dim", 1, 16384);
  const bool named_well = reader.has("num_attention_heads");
  const auto spoken_for = reader.has("attention_head_dim");
  config.heads.assign(levels, 8);
  if (named_well || spoken_for) {
    config.heads = reader.per_level(named_well ? "num_attention_heads" : "attention_head_dim", levels, 1, 1024);
  }
  config.norm_groups = reader.integer("norm_num_groups", 1, 1024, config.norm_groups);
  config.norm_eps = reader.number("norm_eps", 0, 1, config.norm_eps);
  config.downsample_padding = reader.integer("downsample_padding", 0, 1, config.downsample_padding);
  config.linear_projection = reader.boolean("use_linear_projection", config.linear_projection);
  config.flip_sin_to_cos = reader.boolean("flip_sin_to_cos", config.flip_sin_to_cos);
  config.freq_shift = reader.number("freq_shift", 0, 1, config.freq_shift);
  config.sample_size = reader.integer("sample_size", 1, 4096, config.sample_size);
  refuse_variants(reader);
  reader.finish();
  check_divisors(reader, config);
  return config;
}

Json UNetConfig::to_json() const {
  std::vector<std::string> down, up;
  const bool one_for_all =
      std::all_of(layers_per_block.begin(), layers_per_block.end(), [&](auto n) { return n == layers_per_block[0]; });
  for (const bool attends : attention) down.emplace_back(kDown[attends]), up.insert(up.begin(), kUp[attends]);
  return {{"_class_name", "UNet2DConditionModel"},
          {"act_fn", "silu"},
          {"attention_head_dim", heads},
          {"block_out_channels", block_out_channels},
          {"cross_attention_dim", cross_attention_width},
          {"down_block_types", down},
          {"downsample_padding", downsample_padding},
          {"flip_sin_to_cos", flip_sin_to_cos},
          {"freq_shift", freq_shift},
          {"in_channels", in_channels},
          {"layers_per_block", one_for_all ? Json(layers_per_block[0]) : Json(layers_per_block)},
          {"mid_block_type", kMid},
          {"norm_eps", norm_eps},
          {"norm_num_groups", norm_groups},
          {"out_channels", out_channels},
          {"sample_size", sample_size},
          {"transformer_layers_per_block", transformer_layers},
          {"up_block_types", up},
          {"use_linear_projection", linear_projection}};
}

}  // namespace conceptd::diffusion
