#include "diffusion/flux_attention.h"

#include "diffusion/attention.h"

namespace conceptd::diffusion {
namespace nn = torch::nn;

namespace {
constexpr double kTheta = 10000;
}

Rotary rotary_of(const Tensor& ids, const std::vector<int64_t>& axes) {
  const auto at = ids.to(torch::kDouble);
  std::vector<Tensor> angles;
  for (std::size_t axis = 0; axis < axes.size(); ++axis) {
    const auto share = torch::arange(0, axes[axis], 2, torch::kDouble) / static_cast<double>(axes[axis]);
    angles.push_back(at.select(1, static_cast<int64_t>(axis)).unsqueeze(1) / torch::pow(kTheta, share));
  }
  const auto all = torch::cat(angles, 1);  // (s, d/2)
  return {all.cos().to(torch::kFloat), all.sin().to(torch::kFloat)};
}

Tensor rotate(const Tensor& x, const Rotary& rotary) {
  const auto pairs = x.to(torch::kFloat).unflatten(-1, {-1, 2});
  const auto first = pairs.select(-1, 0), second = pairs.select(-1, 1);  // (b, h, s, d/2)
  const auto turned =
      torch::stack({first * rotary.cos - second * rotary.sin, first * rotary.sin + second * rotary.cos}, -1);
  return turned.flatten(-2).to(x.scalar_type());
}

RmsNormImpl::RmsNormImpl(int64_t width, double eps_) : eps(eps_) {
  weight = register_parameter("weight", torch::ones({width}));
}

Tensor RmsNormImpl::forward(const Tensor& x) const {
  const auto wide = x.to(torch::kFloat);
  return (wide * torch::rsqrt(wide.pow(2).mean(-1, true) + eps)).to(x.scalar_type()) * weight;
}

FluxAttentionImpl::FluxAttentionImpl(int64_t heads_, int64_t head_width_, bool joint)
    : heads(heads_), head_width(head_width_) {
  const auto inner = heads * head_width;
  to_q = register_module("to_q", AdaptedLinear(inner, inner));
  to_k = register_module("to_k", AdaptedLinear(inner, inner));
  to_v = register_module("to_v", AdaptedLinear(inner, inner));
  norm_q = register_module("norm_q", RmsNorm(head_width));
  norm_k = register_module("norm_k", RmsNorm(head_width));
  if (!joint) return;
  to_out = register_module("to_out", nn::ModuleList(AdaptedLinear(inner, inner)));
  add_q_proj = register_module("add_q_proj", AdaptedLinear(inner, inner));
  add_k_proj = register_module("add_k_proj", AdaptedLinear(inner, inner));
  add_v_proj = register_module("add_v_proj", AdaptedLinear(inner, inner));
  to_add_out = register_module("to_add_out", AdaptedLinear(inner, inner));
  norm_added_q = register_module("norm_added_q", RmsNorm(head_width));
  norm_added_k = register_module("norm_added_k", RmsNorm(head_width));
}

Tensor FluxAttentionImpl::split(const Tensor& t) const { return t.unflatten(-1, {heads, head_width}).transpose(1, 2); }

JointTokens FluxAttentionImpl::once(const JointTokens& x, const Rotary& rotary, Adaptation& adapt) {
  auto query = norm_q(split(to_q(x.image, adapt))), key = norm_k(split(to_k(x.image, adapt)));
  auto value = split(to_v(x.image, adapt));
  if (x.text.defined()) {
    query = torch::cat({norm_added_q(split(add_q_proj(x.text, adapt))), query}, 2);
    key = torch::cat({norm_added_k(split(add_k_proj(x.text, adapt))), key}, 2);
    value = torch::cat({split(add_v_proj(x.text, adapt)), value}, 2);
  }
  Attend a{rotate(query, rotary), rotate(key, rotary), value, {}};
  adapt.route(site, a);
  const auto y = softmax_attention(a);
  if (!x.text.defined()) return {y, {}};
  const auto n = x.text.size(1);
  return {to_out->at<AdaptedLinearImpl>(0).forward(y.slice(1, n), adapt), to_add_out(y.slice(1, 0, n), adapt)};
}

}  // namespace conceptd::diffusion
