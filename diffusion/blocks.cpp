#include "diffusion/blocks.h"

#include "diffusion/group_norm.h"

namespace conceptd::diffusion {
namespace nn = torch::nn;

Tensor group_norm(const Tensor& x, nn::GroupNorm& norm) {
  return fused_group_norm(x, norm->weight, norm->bias, norm->options.num_groups(), norm->options.eps(), false);
}

Tensor group_norm_silu(const Tensor& x, nn::GroupNorm& norm) {
  return fused_group_norm(x, norm->weight, norm->bias, norm->options.num_groups(), norm->options.eps(), true);
}

nn::Conv2d conv3x3(int64_t in, int64_t out, int64_t stride, int64_t padding) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, 3).stride(stride).padding(padding));
}
nn::Conv2d conv1x1(int64_t in, int64_t out) { return nn::Conv2d(nn::Conv2dOptions(in, out, 1)); }

Tensor convolve(nn::Conv2d& conv, const Tensor& x) { return conv(x.contiguous(at::MemoryFormat::ChannelsLast)); }

ResnetBlock2DImpl::ResnetBlock2DImpl(int64_t in, int64_t out, std::optional<int64_t> time_width, int64_t norm_groups,
                                     double norm_eps) {
  norm1 = register_module("norm1", nn::GroupNorm(nn::GroupNormOptions(norm_groups, in).eps(norm_eps)));
  conv1 = register_module("conv1", conv3x3(in, out));
  if (time_width) time_emb_proj = register_module("time_emb_proj", AdaptedLinear(*time_width, out));
  norm2 = register_module("norm2", nn::GroupNorm(nn::GroupNormOptions(norm_groups, out).eps(norm_eps)));
  conv2 = register_module("conv2", conv3x3(out, out));
  if (in != out) conv_shortcut = register_module("conv_shortcut", conv1x1(in, out));
}

Tensor ResnetBlock2DImpl::forward(const Tensor& x, const Tensor& time, Adaptation& adapt) {
  auto h = convolve(conv1, group_norm_silu(x, norm1));
  if (time_emb_proj) h = h + time_emb_proj(time, adapt).unsqueeze(-1).unsqueeze(-1);
  h = convolve(conv2, group_norm_silu(h, norm2));
  return (conv_shortcut ? convolve(conv_shortcut, x) : x) + h;
}

Downsample2DImpl::Downsample2DImpl(int64_t channels, int64_t padding_) : padding(padding_) {
  conv = register_module("conv", conv3x3(channels, channels, 2, padding));
}

Tensor Downsample2DImpl::forward(const Tensor& x) {
  return convolve(conv, padding ? x : torch::constant_pad_nd(x, {0, 1, 0, 1}));
}

Upsample2DImpl::Upsample2DImpl(int64_t channels) { conv = register_module("conv", conv3x3(channels, channels)); }

Tensor Upsample2DImpl::forward(const Tensor& x, std::optional<std::pair<int64_t, int64_t>> size) {
  const auto height = size ? size->first : 2 * x.size(2), width = size ? size->second : 2 * x.size(3);
  return convolve(conv, torch::upsample_nearest2d(x.contiguous(at::MemoryFormat::ChannelsLast), {height, width}));
}

}  // namespace conceptd::diffusion
