// The transformer that CLIP's text and image encoders share, in the transformers layout: member names are checkpoint
// keys. Source: huggingface/transformers v4.44 (behaviour); Radford et al. 2021, §2.4. Legend: b batch, n tokens, c
// width.
#pragma once
#include "diffusion/adaptation.h"
#include "diffusion/config_reader.h"

namespace conceptd::diffusion {

struct ClipEncoderConfig {
  int64_t hidden_size = 768, intermediate_size = 3072, num_hidden_layers = 12, num_attention_heads = 12;
  double layer_norm_eps = 1e-5;
  std::string hidden_act = "quick_gelu";  // or gelu
  void read(ConfigReader& reader);        // checks that heads divide the width
  void write(Json& json) const;
};

struct ClipAttentionImpl : torch::nn::Module {
  explicit ClipAttentionImpl(const ClipEncoderConfig& config);
  Tensor forward(const Tensor& x, const Tensor& bias, Adaptation& adapt);  // (b, n, c)
  Tensor split(const Tensor& t) const;                                     // (b, n, c) -> (b, h, n, d)
  int64_t heads;
  AdaptedLinear q_proj{nullptr}, k_proj{nullptr}, v_proj{nullptr}, out_proj{nullptr};
};
TORCH_MODULE(ClipAttention);

struct ClipMlpImpl : torch::nn::Module {
  explicit ClipMlpImpl(const ClipEncoderConfig& config);
  Tensor forward(const Tensor& x, Adaptation& adapt);
  bool quick;
  AdaptedLinear fc1{nullptr}, fc2{nullptr};
};
TORCH_MODULE(ClipMlp);

struct ClipEncoderLayerImpl : torch::nn::Module {
  explicit ClipEncoderLayerImpl(const ClipEncoderConfig& config);
  Tensor forward(Tensor x, const Tensor& bias, Adaptation& adapt);
  torch::nn::LayerNorm layer_norm1{nullptr}, layer_norm2{nullptr};
  ClipAttention self_attn{nullptr};
  ClipMlp mlp{nullptr};
};
TORCH_MODULE(ClipEncoderLayer);

struct ClipEncoderImpl : torch::nn::Module {
  explicit ClipEncoderImpl(const ClipEncoderConfig& config);
  // Runs the first `depth` layers. `bias` broadcasts to (b, h, n, n) and may be undefined. Where `states` is given, it
  // gets the input and every layer's output.
  Tensor forward(Tensor x, const Tensor& bias, Adaptation& adapt, int64_t depth, std::vector<Tensor>* states = nullptr);
  torch::nn::ModuleList layers{nullptr};
};
TORCH_MODULE(ClipEncoder);

torch::nn::LayerNorm clip_layer_norm(const ClipEncoderConfig& config);

}  // namespace conceptd::diffusion
