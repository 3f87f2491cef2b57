// AutoencoderKL: pictures to latents and back, in the diffusers layout; member names are checkpoint keys.
// Source: huggingface/diffusers v0.30.3 (behaviour); Rombach et al. 2022, §3.1.
// Pictures are (b, 3, height, width) in -1..1. Latents are (b, latent_channels, height / f, width / f), f = 2^(levels -
// 1), *unscaled*: the diffusion model sees latents * scaling_factor.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "diffusion/blocks.h"

namespace conceptd::diffusion {

struct AutoencoderKLConfig {
  int64_t in_channels = 3, out_channels = 3, latent_channels = 4, layers_per_block = 2, norm_groups = 32,
          sample_size = 512;
  std::vector<int64_t> block_out_channels{128, 256, 512, 512};
  double scaling_factor = 0.18215;
  static AutoencoderKLConfig from_json(const nlohmann::json& config);  // Error{invalid} names the field
  nlohmann::json to_json() const;
};

struct DiagonalGaussian {
  Tensor mean, logvar;  // (b, latent_channels, s, s); logvar is clamped to -30..20
  Tensor std() const { return torch::exp(0.5 * logvar); }
  Tensor kl() const;  // (b): against N(0, 1), summed over all but the batch
};

struct VaeAttentionImpl : torch::nn::Module {  // one head over all positions
  VaeAttentionImpl(int64_t channels, int64_t norm_groups);
  Tensor forward(const Tensor& x);
  torch::nn::GroupNorm group_norm{nullptr};
  AdaptedLinear to_q{nullptr}, to_k{nullptr}, to_v{nullptr};
  torch::nn::ModuleList to_out{nullptr};
};
TORCH_MODULE(VaeAttention);

struct VaeMidBlockImpl : torch::nn::Module {
  VaeMidBlockImpl(int64_t channels, int64_t norm_groups);
  Tensor forward(Tensor x);
  torch::nn::ModuleList resnets{nullptr}, attentions{nullptr};
};
TORCH_MODULE(VaeMidBlock);

struct VaeBlockImpl : torch::nn::Module {  // DownEncoderBlock2D or UpDecoderBlock2D
  enum class Resample { None, Down, Up };
  VaeBlockImpl(int64_t in, int64_t out, int64_t layers, int64_t norm_groups, Resample resample);
  Tensor forward(Tensor x);
  torch::nn::ModuleList resnets{nullptr}, downsamplers{nullptr}, upsamplers{nullptr};
};
TORCH_MODULE(VaeBlock);

struct VaeEncoderImpl : torch::nn::Module {
  explicit VaeEncoderImpl(const AutoencoderKLConfig& config);
  Tensor forward(const Tensor& picture);
  torch::nn::Conv2d conv_in{nullptr}, conv_out{nullptr};
  torch::nn::ModuleList down_blocks{nullptr};
  VaeMidBlock mid_block{nullptr};
  torch::nn::GroupNorm conv_norm_out{nullptr};
};
TORCH_MODULE(VaeEncoder);

struct VaeDecoderImpl : torch::nn::Module {
  explicit VaeDecoderImpl(const AutoencoderKLConfig& config);
  Tensor forward(const Tensor& latent);
  torch::nn::Conv2d conv_in{nullptr}, conv_out{nullptr};
  VaeMidBlock mid_block{nullptr};
  torch::nn::ModuleList up_blocks{nullptr};
  torch::nn::GroupNorm conv_norm_out{nullptr};
};
TORCH_MODULE(VaeDecoder);

struct AutoencoderKLImpl : torch::nn::Module {
  explicit AutoencoderKLImpl(AutoencoderKLConfig config);
  DiagonalGaussian encode(const Tensor& picture);
  Tensor decode(const Tensor& latent);
  AutoencoderKLConfig config;
  VaeEncoder encoder{nullptr};
  VaeDecoder decoder{nullptr};
  torch::nn::Conv2d quant_conv{nullptr}, post_quant_conv{nullptr};
};
TORCH_MODULE(AutoencoderKL);

}  // namespace conceptd::diffusion
