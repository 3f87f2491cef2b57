#include <numeric>

#include "diffusion/config_reader.h"
#include "diffusion/flux_transformer.h"

namespace conceptd::diffusion {

FluxConfig FluxConfig::from_json(const Json& json) {
  ConfigReader reader(json, "transformer/config.json");
  reader.expect("_class_name", "FluxTransformer2DModel");
  FluxConfig config;
  config.in_channels = reader.integer("in_channels", 1, 4096, config.in_channels);
  config.num_layers = reader.integer("num_layers", 0, 256, config.num_layers);
  config.num_single_layers = reader.integer("num_single_layers", 0, 256, config.num_single_layers);
  config.attention_head_dim = reader.integer("attention_head_dim", 2, 1024, config.attention_head_dim);
  config.num_attention_heads = reader.integer("num_attention_heads", 1, 256, config.num_attention_heads);
  config.joint_attention_dim = reader.integer("joint_attention_dim", 1, 65536, config.joint_attention_dim);
  config.pooled_projection_dim = reader.integer("pooled_projection_dim", 1, 65536, config.pooled_projection_dim);
  config.guidance_embeds = reader.boolean("guidance_embeds", config.guidance_embeds);
  if (reader.has("axes_dims_rope")) config.axes_dims_rope = reader.integers("axes_dims_rope", 2, 1024);
  const auto& axes = config.axes_dims_rope;
  if (axes.size() != 3) throw reader.refuse("axes_dims_rope", "does not have three axes");
  for (const auto axis : axes) {
    if (axis % 2 != 0) throw reader.refuse("axes_dims_rope", "has an odd number");
  }
  if (std::accumulate(axes.begin(), axes.end(), int64_t{0}) != config.attention_head_dim)
    throw reader.refuse("axes_dims_rope", "does not add up to attention_head_dim");
  if (config.num_layers + config.num_single_layers == 0) throw reader.refuse("num_layers", "leaves no block");
  reader.expect("patch_size", 1);
  reader.expect("out_channels", config.in_channels);
  reader.finish();
  return config;
}

Json FluxConfig::to_json() const {
  return {{"_class_name", "FluxTransformer2DModel"},
          {"attention_head_dim", attention_head_dim},
          {"axes_dims_rope", axes_dims_rope},
          {"guidance_embeds", guidance_embeds},
          {"in_channels", in_channels},
          {"joint_attention_dim", joint_attention_dim},
          {"num_attention_heads", num_attention_heads},
          {"num_layers", num_layers},
          {"num_single_layers", num_single_layers},
          {"patch_size", 1},
          {"pooled_projection_dim", pooled_projection_dim}};
}

}  // namespace conceptd::diffusion
