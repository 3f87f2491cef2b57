// Convolutional blocks shared by the UNet and the autoencoder, in the diffusers layout. Pictures are (b, channels, s,
// s), channels last.
#pragma once
#include <optional>

#include "diffusion/adaptation.h"

namespace conceptd::diffusion {

Tensor group_norm(const Tensor& x, torch::nn::GroupNorm& norm);       // statistics in fp32
Tensor group_norm_silu(const Tensor& x, torch::nn::GroupNorm& norm);  // silu(group_norm(x)), fused
torch::nn::Conv2d conv3x3(int64_t in, int64_t out, int64_t stride = 1, int64_t padding = 1);
torch::nn::Conv2d conv1x1(int64_t in, int64_t out);
Tensor convolve(torch::nn::Conv2d& conv, const Tensor& x);  // keeps channels last

struct ResnetBlock2DImpl : torch::nn::Module {
  // time_width: width of the time embedding, or none (autoencoder).
  ResnetBlock2DImpl(int64_t in, int64_t out, std::optional<int64_t> time_width, int64_t norm_groups, double norm_eps);
  Tensor forward(const Tensor& x, const Tensor& time,
                 Adaptation& adapt);  // time: (b, time_width), already through SiLU
  torch::nn::GroupNorm norm1{nullptr}, norm2{nullptr};
  torch::nn::Conv2d conv1{nullptr}, conv2{nullptr}, conv_shortcut{nullptr};
  AdaptedLinear time_emb_proj{nullptr};
};
TORCH_MODULE(ResnetBlock2D);

struct Downsample2DImpl : torch::nn::Module {
  // padding 0: the autoencoder's form, which pads one row and column at the far edge only.
  Downsample2DImpl(int64_t channels, int64_t padding);
  Tensor forward(const Tensor& x);
  int64_t padding;
  torch::nn::Conv2d conv{nullptr};
};
TORCH_MODULE(Downsample2D);

struct Upsample2DImpl : torch::nn::Module {
  explicit Upsample2DImpl(int64_t channels);
  Tensor forward(const Tensor& x, std::optional<std::pair<int64_t, int64_t>> size = {});  // twice as large, or `size`
  torch::nn::Conv2d conv{nullptr};
};
TORCH_MODULE(Upsample2D);

}  // namespace conceptd::diffusion
