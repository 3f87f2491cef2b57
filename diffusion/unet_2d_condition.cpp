#include "diffusion/unet_2d_condition.h"

namespace conceptd::diffusion {
namespace nn = torch::nn;

namespace {
Transformer2DModel transformer(const UNetConfig& config, std::size_t level) {
  return Transformer2DModel(config.block_out_channels[level], config.cross_attention_width, config.heads[level],
                            config.transformer_layers[level], config.norm_groups, config.linear_projection);
}
Tensor attended(nn::ModuleList& attentions, std::size_t k, const Tensor& x, const Tensor& context, Adaptation& adapt) {
  return attentions ? attentions->at<Transformer2DModelImpl>(k).forward(x, context, adapt) : x;
}
}  // namespace

UNetDownBlockImpl::UNetDownBlockImpl(const UNetConfig& config, std::size_t level, int64_t in, int64_t time_width) {
  const auto out = config.block_out_channels[level];
  resnets = register_module("resnets", nn::ModuleList());
  if (config.attention[level]) attentions = register_module("attentions", nn::ModuleList());
  for (int64_t k = 0; k < config.layers_per_block[level]; ++k) {
    resnets->push_back(ResnetBlock2D(k ? out : in, out, time_width, config.norm_groups, config.norm_eps));
    if (attentions) attentions->push_back(transformer(config, level));
  }
  if (level + 1 < config.block_out_channels.size()) {
    downsamplers = register_module("downsamplers", nn::ModuleList(Downsample2D(out, config.downsample_padding)));
  }
}

Tensor UNetDownBlockImpl::forward(Tensor x, const Tensor& time, const Tensor& context, Adaptation& adapt,
                                  std::vector<Tensor>& skips) {
  for (std::size_t k = 0; k < resnets->size(); ++k) {
    x = resnets->at<ResnetBlock2DImpl>(k).forward(x, time, adapt);
    x = attended(attentions, k, x, context, adapt);
    skips.push_back(x);
  }
  if (downsamplers) skips.push_back(x = downsamplers->at<Downsample2DImpl>(0).forward(x));
  return x;
}

UNetMidBlockImpl::UNetMidBlockImpl(const UNetConfig& config, int64_t time_width) {
  const auto level = config.block_out_channels.size() - 1;
  const auto width = config.block_out_channels[level];
  resnets = register_module("resnets", nn::ModuleList());
  attentions = register_module("attentions", nn::ModuleList(transformer(config, level)));
  for (int k = 0; k < 2; ++k) {
    resnets->push_back(ResnetBlock2D(width, width, time_width, config.norm_groups, config.norm_eps));
  }
}

Tensor UNetMidBlockImpl::forward(Tensor x, const Tensor& time, const Tensor& context, Adaptation& adapt) {
  x = resnets->at<ResnetBlock2DImpl>(0).forward(x, time, adapt);
  x = attended(attentions, 0, x, context, adapt);
  return resnets->at<ResnetBlock2DImpl>(1).forward(x, time, adapt);
}

UNetUpBlockImpl::UNetUpBlockImpl(const UNetConfig& config, std::size_t level, int64_t in, int64_t time_width) {
  const auto out = config.block_out_channels[level];
  const auto last_skip = config.block_out_channels[level ? level - 1 : 0];
  resnets = register_module("resnets", nn::ModuleList());
  if (config.attention[level]) attentions = register_module("attentions", nn::ModuleList());
  for (int64_t k = 0; k <= config.layers_per_block[level]; ++k) {
    const auto skip = k == config.layers_per_block[level] ? last_skip : out;
    resnets->push_back(ResnetBlock2D((k ? out : in) + skip, out, time_width, config.norm_groups, config.norm_eps));
    if (attentions) attentions->push_back(transformer(config, level));
  }
  if (level) upsamplers = register_module("upsamplers", nn::ModuleList(Upsample2D(out)));
}

Tensor UNetUpBlockImpl::forward(Tensor x, const Tensor& time, const Tensor& context, Adaptation& adapt,
                                std::vector<Tensor>& skips) {
  for (std::size_t k = 0; k < resnets->size(); ++k) {
    x = torch::cat({x, skips.back()}, 1);
    skips.pop_back();
    x = resnets->at<ResnetBlock2DImpl>(k).forward(x, time, adapt);
    x = attended(attentions, k, x, context, adapt);
  }
  if (!upsamplers) return x;
  return upsamplers->at<Upsample2DImpl>(0).forward(x, std::pair{skips.back().size(2), skips.back().size(3)});
}

TimestepEmbeddingImpl::TimestepEmbeddingImpl(int64_t in, int64_t out) {
  linear_1 = register_module("linear_1", AdaptedLinear(in, out));
  linear_2 = register_module("linear_2", AdaptedLinear(out, out));
}

Tensor TimestepEmbeddingImpl::forward(const Tensor& x, Adaptation& adapt) {
  return linear_2(torch::silu(linear_1(x, adapt)), adapt);
}

Tensor timestep_features(const Tensor& timesteps, int64_t width, bool flip_sin_to_cos, double freq_shift) {
  const auto half = width / 2;
  const auto index = torch::arange(half, torch::kFloat);
  const auto rate = torch::exp(index * (-std::log(10000.0) / (static_cast<double>(half) - freq_shift)));
  const auto angle = timesteps.to(torch::kFloat).unsqueeze(-1) * rate;  // (b, half)
  return flip_sin_to_cos ? torch::cat({angle.cos(), angle.sin()}, -1) : torch::cat({angle.sin(), angle.cos()}, -1);
}

UNet2DConditionModelImpl::UNet2DConditionModelImpl(UNetConfig config_) : config(std::move(config_)) {
  const auto& widths = config.block_out_channels;
  const auto time_width = 4 * widths[0];
  conv_in = register_module("conv_in", conv3x3(config.in_channels, widths[0]));
  time_embedding = register_module("time_embedding", TimestepEmbedding(widths[0], time_width));
  down_blocks = register_module("down_blocks", nn::ModuleList());
  for (std::size_t level = 0; level < widths.size(); ++level) {
    down_blocks->push_back(UNetDownBlock(config, level, widths[level ? level - 1 : 0], time_width));
  }
  mid_block = register_module("mid_block", UNetMidBlock(config, time_width));
  up_blocks = register_module("up_blocks", nn::ModuleList());
  for (std::size_t level = widths.size(); level-- > 0;) {
    const auto in = widths[std::min(level + 1, widths.size() - 1)];
    up_blocks->push_back(UNetUpBlock(config, level, in, time_width));
  }
  conv_norm_out = register_module(
      "conv_norm_out", nn::GroupNorm(nn::GroupNormOptions(config.norm_groups, widths[0]).eps(config.norm_eps)));
  conv_out = register_module("conv_out", conv3x3(widths[0], config.out_channels));
  name_sites(*this);
}

Tensor UNet2DConditionModelImpl::forward(const Tensor& sample, const Tensor& timesteps, const Tensor& context,
                                         Adaptation& adapt) {
  const auto features = timestep_features(timesteps.expand({sample.size(0)}), config.block_out_channels[0],
                                          config.flip_sin_to_cos, config.freq_shift);
  const auto dtype = conv_in->weight.scalar_type();  // computes in this; comes and goes in the sample's
  const auto text = context.to(dtype);
  const auto time = torch::silu(time_embedding(features.to(dtype), adapt));  // every resnet applies SiLU first
  auto x = convolve(conv_in, sample.to(dtype));
  std::vector<Tensor> skips{x};
  for (const auto& block : *down_blocks) x = block->as<UNetDownBlockImpl>()->forward(x, time, text, adapt, skips);
  x = mid_block(x, time, text, adapt);
  for (const auto& block : *up_blocks) x = block->as<UNetUpBlockImpl>()->forward(x, time, text, adapt, skips);
  return convolve(conv_out, group_norm_silu(x, conv_norm_out)).to(sample.scalar_type());
}

}  // namespace conceptd::diffusion
