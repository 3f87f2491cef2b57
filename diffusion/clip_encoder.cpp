#include "diffusion/clip_encoder.h"

#include "diffusion/attention.h"

namespace conceptd::diffusion {
namespace nn = torch::nn;

namespace {
// CLIP's own initial values: they matter only to a model that is trained from scratch.
AdaptedLinear linear(int64_t in, int64_t out, double std) {
  AdaptedLinear layer(in, out);
  torch::NoGradGuard guard;
  layer->weight.normal_(0, std);
  layer->bias.zero_();
  return layer;
}
}  // namespace

void ClipEncoderConfig::read(ConfigReader& reader) {
  hidden_size = reader.integer("hidden_size", 1, 16384);
  intermediate_size = reader.integer("intermediate_size", 1, 65536);
  num_hidden_layers = reader.integer("num_hidden_layers", 1, 256);
  num_attention_heads = reader.integer("num_attention_heads", 1, 256);
  if (hidden_size % num_attention_heads != 0) throw reader.refuse("num_attention_heads", "does not divide hidden_size");
  layer_norm_eps = reader.number("layer_norm_eps", 0, 1, layer_norm_eps);
  hidden_act = reader.text("hidden_act", hidden_act);
  if (hidden_act != "quick_gelu" && hidden_act != "gelu") {
    throw reader.refuse("hidden_act", "is '" + hidden_act + "'; only quick_gelu and gelu are supported");
  }
}

void ClipEncoderConfig::write(Json& json) const {
  json["hidden_size"] = hidden_size;
  json["intermediate_size"] = intermediate_size;
  json["num_hidden_layers"] = num_hidden_layers;
  json["num_attention_heads"] = num_attention_heads;
  json["layer_norm_eps"] = layer_norm_eps;
  json["hidden_act"] = hidden_act;
}

nn::LayerNorm clip_layer_norm(const ClipEncoderConfig& config) {
  return nn::LayerNorm(nn::LayerNormOptions({config.hidden_size}).eps(config.layer_norm_eps));
}

ClipAttentionImpl::ClipAttentionImpl(const ClipEncoderConfig& config) : heads(config.num_attention_heads) {
  const auto width = config.hidden_size;
  const auto out_std = 1 / std::sqrt(static_cast<double>(width));
  const auto in_std = out_std / std::sqrt(2.0 * static_cast<double>(config.num_hidden_layers));
  k_proj = register_module("k_proj", linear(width, width, in_std));
  v_proj = register_module("v_proj", linear(width, width, in_std));
  q_proj = register_module("q_proj", linear(width, width, in_std));
  out_proj = register_module("out_proj", linear(width, width, out_std));
}

Tensor ClipAttentionImpl::split(const Tensor& t) const { return t.unflatten(-1, {heads, -1}).transpose(1, 2); }

Tensor ClipAttentionImpl::forward(const Tensor& x, const Tensor& bias, Adaptation& adapt) {
  const Attend a{split(q_proj(x, adapt)), split(k_proj(x, adapt)), split(v_proj(x, adapt)), bias};
  return out_proj(softmax_attention(a), adapt);
}

ClipMlpImpl::ClipMlpImpl(const ClipEncoderConfig& config) : quick(config.hidden_act == "quick_gelu") {
  const auto width = static_cast<double>(config.hidden_size);
  const auto in_std = 1 / std::sqrt(2 * width * static_cast<double>(config.num_hidden_layers));
  fc1 = register_module("fc1", linear(config.hidden_size, config.intermediate_size, 1 / std::sqrt(2 * width)));
  fc2 = register_module("fc2", linear(config.intermediate_size, config.hidden_size, in_std));
}

Tensor ClipMlpImpl::forward(const Tensor& x, Adaptation& adapt) {
  const auto y = fc1(x, adapt);
  return fc2(quick ? y * torch::sigmoid(1.702 * y) : torch::gelu(y), adapt);
}

ClipEncoderLayerImpl::ClipEncoderLayerImpl(const ClipEncoderConfig& config) {
  self_attn = register_module("self_attn", ClipAttention(config));
  layer_norm1 = register_module("layer_norm1", clip_layer_norm(config));
  mlp = register_module("mlp", ClipMlp(config));
  layer_norm2 = register_module("layer_norm2", clip_layer_norm(config));
}

Tensor ClipEncoderLayerImpl::forward(Tensor x, const Tensor& bias, Adaptation& adapt) {
  x = x + self_attn(layer_norm1(x), bias, adapt);
  return x + mlp(layer_norm2(x), adapt);
}

ClipEncoderImpl::ClipEncoderImpl(const ClipEncoderConfig& config) {
  layers = register_module("layers", nn::ModuleList());
  for (int64_t k = 0; k < config.num_hidden_layers; ++k) layers->push_back(ClipEncoderLayer(config));
}

Tensor ClipEncoderImpl::forward(Tensor x, const Tensor& bias, Adaptation& adapt, int64_t depth,
                                std::vector<Tensor>* states) {
  if (states) states->push_back(x);
  for (int64_t k = 0; k < depth; ++k) {
    x = layers->at<ClipEncoderLayerImpl>(static_cast<std::size_t>(k)).forward(x, bias, adapt);
    if (states) states->push_back(x);
  }
  return x;
}

}  // namespace conceptd::diffusion
