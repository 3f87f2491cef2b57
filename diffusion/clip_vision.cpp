#include "diffusion/clip_vision.h"

namespace conceptd::diffusion {
namespace nn = torch::nn;

ClipVisionConfig ClipVisionConfig::from_json(const Json& json, const std::string& what) {
  ConfigReader reader(json, what);
  ClipVisionConfig config;
  config.read(reader);
  config.image_size = reader.integer("image_size", 1, 4096, config.image_size);
  config.patch_size = reader.integer("patch_size", 1, config.image_size, config.patch_size);
  config.num_channels = reader.integer("num_channels", 1, 64, config.num_channels);
  config.projection_dim = reader.integer("projection_dim", 1, 16384, config.projection_dim);
  if (reader.has("architectures")) reader.expect("architectures", Json::array({"CLIPVisionModelWithProjection"}));
  reader.expect("model_type", "clip_vision_model");
  reader.ignore({"attention_dropout", "dropout", "initializer_factor", "initializer_range", "torch_dtype",
                 "transformers_version"});
  reader.finish();
  return config;
}

Json ClipVisionConfig::to_json() const {
  Json json{{"architectures", Json::array({"CLIPVisionModelWithProjection"})},
            {"model_type", "clip_vision_model"},
            {"image_size", image_size},
            {"patch_size", patch_size},
            {"num_channels", num_channels},
            {"projection_dim", projection_dim}};
  write(json);
  return json;
}

ClipVisionEmbeddingsImpl::ClipVisionEmbeddingsImpl(const ClipVisionConfig& config) {
  const auto width = config.hidden_size, side = config.image_size / config.patch_size;
  class_embedding =
      register_parameter("class_embedding", torch::randn({width}) / std::sqrt(static_cast<double>(width)));
  patch_embedding = register_module(
      "patch_embedding",
      nn::Conv2d(
          nn::Conv2dOptions(config.num_channels, width, config.patch_size).stride(config.patch_size).bias(false)));
  position_embedding = register_module("position_embedding", nn::Embedding(side * side + 1, width));
  torch::NoGradGuard guard;
  patch_embedding->weight.normal_(0, 0.02);
  position_embedding->weight.normal_(0, 0.02);
}

Tensor ClipVisionEmbeddingsImpl::forward(const Tensor& pixels) {
  const auto patches = patch_embedding(pixels).flatten(2).transpose(1, 2);  // (b, n - 1, c)
  const auto first = class_embedding.expand({pixels.size(0), 1, -1});
  return torch::cat({first, patches}, 1) + position_embedding->weight;
}

ClipVisionTransformerImpl::ClipVisionTransformerImpl(const ClipVisionConfig& config) {
  embeddings = register_module("embeddings", ClipVisionEmbeddings(config));
  pre_layrnorm = register_module("pre_layrnorm", clip_layer_norm(config));
  encoder = register_module("encoder", ClipEncoder(config));
  post_layernorm = register_module("post_layernorm", clip_layer_norm(config));
}

ClipVisionModelImpl::ClipVisionModelImpl(ClipVisionConfig config_) : config(std::move(config_)) {
  vision_model = register_module("vision_model", ClipVisionTransformer(config));
  visual_projection =
      register_module("visual_projection", AdaptedLinear(config.hidden_size, config.projection_dim, false));
  name_sites(*this);
}

ClipVisionOutput ClipVisionModelImpl::forward(const Tensor& pixels, Adaptation& adapt, bool hidden_states) {
  if (pixels.dim() != 4 || pixels.size(1) != config.num_channels || pixels.size(2) != config.image_size ||
      pixels.size(3) != config.image_size) {
    const auto side = std::to_string(config.image_size);
    throw Error(Code::invalid,
                "pixels must be (b, " + std::to_string(config.num_channels) + ", " + side + ", " + side + ")");
  }
  ClipVisionOutput out;
  const auto x = vision_model->pre_layrnorm(vision_model->embeddings(pixels));
  out.last_hidden_state =
      vision_model->encoder(x, Tensor(), adapt, config.num_hidden_layers, hidden_states ? &out.hidden_states : nullptr);
  const auto pooled = vision_model->post_layernorm(out.last_hidden_state.select(1, 0));  // the class token, (b, c)
  out.image_embeds = visual_projection(pooled, adapt);
  return out;
}

}  // namespace conceptd::diffusion
