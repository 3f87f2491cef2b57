#include "diffusion/autoencoder_kl.h"

#include "diffusion/attention.h"

namespace conceptd::diffusion {
namespace nn = torch::nn;

namespace {
constexpr double kNormEps = 1e-6;
nn::GroupNorm norm(int64_t groups, int64_t channels) {
  return nn::GroupNorm(nn::GroupNormOptions(groups, channels).eps(kNormEps));
}
}  // namespace

Tensor DiagonalGaussian::kl() const { return 0.5 * (mean.pow(2) + logvar.exp() - 1.0 - logvar).flatten(1).sum(1); }

VaeAttentionImpl::VaeAttentionImpl(int64_t channels, int64_t norm_groups) {
  group_norm = register_module("group_norm", norm(norm_groups, channels));
  to_q = register_module("to_q", AdaptedLinear(channels, channels));
  to_k = register_module("to_k", AdaptedLinear(channels, channels));
  to_v = register_module("to_v", AdaptedLinear(channels, channels));
  to_out = register_module("to_out", nn::ModuleList(AdaptedLinear(channels, channels)));
}

Tensor VaeAttentionImpl::forward(const Tensor& x) {
  const auto height = x.size(2), width = x.size(3);
  const auto y = diffusion::group_norm(x, group_norm).permute({0, 2, 3, 1}).flatten(1, 2);  // (b, l, channels)
  const auto out =
      softmax_attention({to_q->plain(y).unsqueeze(1), to_k->plain(y).unsqueeze(1), to_v->plain(y).unsqueeze(1), {}});
  return x + to_out->at<AdaptedLinearImpl>(0).plain(out).unflatten(1, {height, width}).permute({0, 3, 1, 2});
}

VaeMidBlockImpl::VaeMidBlockImpl(int64_t channels, int64_t norm_groups) {
  attentions = register_module("attentions", nn::ModuleList(VaeAttention(channels, norm_groups)));
  resnets = register_module("resnets", nn::ModuleList());
  for (int k = 0; k < 2; ++k) {
    resnets->push_back(ResnetBlock2D(channels, channels, std::nullopt, norm_groups, kNormEps));
  }
}

Tensor VaeMidBlockImpl::forward(Tensor x) {
  Adaptation frozen;
  x = resnets->at<ResnetBlock2DImpl>(0).forward(x, {}, frozen);
  x = attentions->at<VaeAttentionImpl>(0).forward(x);
  return resnets->at<ResnetBlock2DImpl>(1).forward(x, {}, frozen);
}

VaeBlockImpl::VaeBlockImpl(int64_t in, int64_t out, int64_t layers, int64_t norm_groups, Resample resample) {
  resnets = register_module("resnets", nn::ModuleList());
  for (int64_t k = 0; k < layers; ++k) {
    resnets->push_back(ResnetBlock2D(k ? out : in, out, std::nullopt, norm_groups, kNormEps));
  }
  if (resample == Resample::Down) downsamplers = register_module("downsamplers", nn::ModuleList(Downsample2D(out, 0)));
  if (resample == Resample::Up) upsamplers = register_module("upsamplers", nn::ModuleList(Upsample2D(out)));
}

Tensor VaeBlockImpl::forward(Tensor x) {
  Adaptation frozen;
  for (const auto& resnet : *resnets) x = resnet->as<ResnetBlock2DImpl>()->forward(x, {}, frozen);
  if (downsamplers) x = downsamplers->at<Downsample2DImpl>(0).forward(x);
  if (upsamplers) x = upsamplers->at<Upsample2DImpl>(0).forward(x);
  return x;
}

VaeEncoderImpl::VaeEncoderImpl(const AutoencoderKLConfig& config) {
  const auto& widths = config.block_out_channels;
  conv_in = register_module("conv_in", conv3x3(config.in_channels, widths[0]));
  down_blocks = register_module("down_blocks", nn::ModuleList());
  for (std::size_t level = 0; level < widths.size(); ++level) {
    const auto resample = level + 1 < widths.size() ? VaeBlockImpl::Resample::Down : VaeBlockImpl::Resample::None;
    down_blocks->push_back(
        VaeBlock(widths[level ? level - 1 : 0], widths[level], config.layers_per_block, config.norm_groups, resample));
  }
  mid_block = register_module("mid_block", VaeMidBlock(widths.back(), config.norm_groups));
  conv_norm_out = register_module("conv_norm_out", norm(config.norm_groups, widths.back()));
  conv_out = register_module("conv_out", conv3x3(widths.back(), 2 * config.latent_channels));
}

Tensor VaeEncoderImpl::forward(const Tensor& picture) {
  auto x = convolve(conv_in, picture);
  for (const auto& block : *down_blocks) x = block->as<VaeBlockImpl>()->forward(x);
  return convolve(conv_out, group_norm_silu(mid_block(x), conv_norm_out));
}

VaeDecoderImpl::VaeDecoderImpl(const AutoencoderKLConfig& config) {
  const auto& widths = config.block_out_channels;
  conv_in = register_module("conv_in", conv3x3(config.latent_channels, widths.back()));
  mid_block = register_module("mid_block", VaeMidBlock(widths.back(), config.norm_groups));
  up_blocks = register_module("up_blocks", nn::ModuleList());
  for (std::size_t level = widths.size(); level-- > 0;) {
    const auto in = widths[std::min(level + 1, widths.size() - 1)];
    const auto resample = level ? VaeBlockImpl::Resample::Up : VaeBlockImpl::Resample::None;
    up_blocks->push_back(VaeBlock(in, widths[level], config.layers_per_block + 1, config.norm_groups, resample));
  }
  conv_norm_out = register_module("conv_norm_out", norm(config.norm_groups, widths[0]));
  conv_out = register_module("conv_out", conv3x3(widths[0], config.out_channels));
}

Tensor VaeDecoderImpl::forward(const Tensor& latent) {
  auto x = mid_block(convolve(conv_in, latent));
  for (const auto& block : *up_blocks) x = block->as<VaeBlockImpl>()->forward(x);
  return convolve(conv_out, group_norm_silu(x, conv_norm_out));
}

AutoencoderKLImpl::AutoencoderKLImpl(AutoencoderKLConfig config_) : config(std::move(config_)) {
  const auto c = config.latent_channels;
  encoder = register_module("encoder", VaeEncoder(config));
  decoder = register_module("decoder", VaeDecoder(config));
  quant_conv = register_module("quant_conv", conv1x1(2 * c, 2 * c));
  post_quant_conv = register_module("post_quant_conv", conv1x1(c, c));
  name_sites(*this);
}

DiagonalGaussian AutoencoderKLImpl::encode(const Tensor& picture) {
  const auto moments = quant_conv(encoder(picture.to(quant_conv->weight.scalar_type())));
  const auto halves = moments.to(picture.scalar_type()).chunk(2, 1);
  return {halves[0], halves[1].clamp(-30.0, 20.0)};
}

Tensor AutoencoderKLImpl::decode(const Tensor& latent) {
  return decoder(convolve(post_quant_conv, latent.to(post_quant_conv->weight.scalar_type()))).to(latent.scalar_type());
}

}  // namespace conceptd::diffusion
