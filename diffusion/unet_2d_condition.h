// UNet2DConditionModel: the denoiser of Stable Diffusion 1.x, in the diffusers layout; member names are checkpoint
// keys. Source: huggingface/diffusers v0.30.3 (behaviour); Rombach et al. 2022, §3.3 (cross-attention conditioning).
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "diffusion/attention.h"
#include "diffusion/blocks.h"

namespace conceptd::diffusion {

struct UNetConfig {
  int64_t in_channels = 4, out_channels = 4, cross_attention_width = 768, norm_groups = 32;
  int64_t downsample_padding = 1, sample_size = 64;  // sample_size: the latent side it was trained for
  std::vector<int64_t> block_out_channels{320, 640, 1280, 1280};
  std::vector<int64_t> heads{8, 8, 8,
                             8};  // a level each. diffusers calls this attention_head_dim, and keeps the misnomer
  std::vector<int64_t> layers_per_block{2, 2, 2, 2};  // resnets a level of the encoder; the decoder has one more
  std::vector<int64_t> transformer_layers{1, 1, 1, 1};
  std::vector<bool> attention{true, true, true,
                              false};  // does this level of the encoder attend? the decoder mirrors it
  double norm_eps = 1e-5;
  bool linear_projection = false, flip_sin_to_cos = true;
  double freq_shift = 0;
  static UNetConfig from_json(
      const nlohmann::json& config);  // Error{invalid} names the field that is missing or not supported
  nlohmann::json to_json() const;
};

struct UNetDownBlockImpl : torch::nn::Module {  // CrossAttnDownBlock2D or DownBlock2D
  UNetDownBlockImpl(const UNetConfig& config, std::size_t level, int64_t in, int64_t time_width);
  Tensor forward(Tensor x, const Tensor& time, const Tensor& context, Adaptation& adapt, std::vector<Tensor>& skips);
  torch::nn::ModuleList resnets{nullptr}, attentions{nullptr}, downsamplers{nullptr};
};
TORCH_MODULE(UNetDownBlock);

struct UNetMidBlockImpl : torch::nn::Module {  // UNetMidBlock2DCrossAttn
  UNetMidBlockImpl(const UNetConfig& config, int64_t time_width);
  Tensor forward(Tensor x, const Tensor& time, const Tensor& context, Adaptation& adapt);
  torch::nn::ModuleList resnets{nullptr}, attentions{nullptr};
};
TORCH_MODULE(UNetMidBlock);

struct UNetUpBlockImpl : torch::nn::Module {  // CrossAttnUpBlock2D or UpBlock2D
  UNetUpBlockImpl(const UNetConfig& config, std::size_t level, int64_t in, int64_t time_width);
  Tensor forward(Tensor x, const Tensor& time, const Tensor& context, Adaptation& adapt, std::vector<Tensor>& skips);
  torch::nn::ModuleList resnets{nullptr}, attentions{nullptr}, upsamplers{nullptr};
};
TORCH_MODULE(UNetUpBlock);

struct TimestepEmbeddingImpl : torch::nn::Module {
  TimestepEmbeddingImpl(int64_t in, int64_t out);
  Tensor forward(const Tensor& x, Adaptation& adapt);
  AdaptedLinear linear_1{nullptr}, linear_2{nullptr};
};
TORCH_MODULE(TimestepEmbedding);

// Sinusoidal features of the timestep: (b) -> (b, width).
Tensor timestep_features(const Tensor& timesteps, int64_t width, bool flip_sin_to_cos, double freq_shift);

struct UNet2DConditionModelImpl : torch::nn::Module {
  explicit UNet2DConditionModelImpl(UNetConfig config);
  // sample (b, in_channels, s, s), timesteps (b) or scalar, context (b, n, c) -> (b, out_channels, s, s)
  Tensor forward(const Tensor& sample, const Tensor& timesteps, const Tensor& context, Adaptation& adapt);
  UNetConfig config;
  torch::nn::Conv2d conv_in{nullptr}, conv_out{nullptr};
  TimestepEmbedding time_embedding{nullptr};
  torch::nn::ModuleList down_blocks{nullptr}, up_blocks{nullptr};
  UNetMidBlock mid_block{nullptr};
  torch::nn::GroupNorm conv_norm_out{nullptr};
};
TORCH_MODULE(UNet2DConditionModel);

}  // namespace conceptd::diffusion
