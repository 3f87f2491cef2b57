// T5EncoderModel: what the prompt says, as Flux reads it beside CLIP; in the transformers layout, member names are
// checkpoint keys. Source: huggingface/transformers v4.44 (behaviour); Raffel et al. 2020 (arXiv 1910.10683), §2.1.
// There is no T5 tokenizer here, so no base folder may bring this encoder yet.
// Legend: b batch, n tokens, c width, h heads.
#pragma once
#include "core/json.h"
#include "diffusion/flux_attention.h"

namespace conceptd::diffusion {

struct T5Config {
  int64_t vocab_size = 32128, d_model = 4096, d_kv = 64, d_ff = 10240, num_layers = 24, num_heads = 64;
  int64_t relative_buckets = 32, relative_distance = 128;
  double layer_norm_epsilon = 1e-6;
  static T5Config from_json(const Json& config);  // Error{invalid} names the field; the gated-gelu form only
  Json to_json() const;
};

// Which row of the bias table a key at `offset` from its query has: exact when near, by the logarithm when far.
Tensor t5_buckets(const Tensor& offset, int64_t buckets, int64_t distance);

struct T5AttentionImpl : torch::nn::Module {
  T5AttentionImpl(const T5Config& config, bool with_bias);
  Tensor forward(const Tensor& x, const Tensor& bias, Adaptation& adapt);  // (b, n, c), bias (1 or b, h, n, n)
  Tensor positions(int64_t n);                                             // (1, h, n, n): of the first layer, for all
  T5Config config;
  AdaptedLinear q{nullptr}, k{nullptr}, v{nullptr}, o{nullptr};
  torch::nn::Embedding relative_attention_bias{nullptr};
};
TORCH_MODULE(T5Attention);

struct T5BlockImpl : torch::nn::Module {
  T5BlockImpl(const T5Config& config, bool with_bias);
  Tensor forward(Tensor x, const Tensor& bias, Adaptation& adapt);
  RmsNorm attention_norm{nullptr}, feed_norm{nullptr};
  T5Attention attention{nullptr};
  AdaptedLinear wi_0{nullptr}, wi_1{nullptr}, wo{nullptr};
};
TORCH_MODULE(T5Block);

struct T5EncoderModelImpl : torch::nn::Module {
  explicit T5EncoderModelImpl(T5Config config);
  // ids (b, n) int64, mask (b, n): 0 where a token is padding, undefined: none is -> (b, n, c).
  // Error{invalid} on an id that the table does not have.
  Tensor forward(const Tensor& ids, const Tensor& mask, Adaptation& adapt);
  T5Config config;
  torch::nn::Embedding shared{nullptr};
  std::vector<T5Block> blocks;
  RmsNorm final_layer_norm{nullptr};
};
TORCH_MODULE(T5EncoderModel);

}  // namespace conceptd::diffusion
