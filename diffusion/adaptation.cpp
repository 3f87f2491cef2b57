#include "diffusion/adaptation.h"

#include "diffusion/attention.h"
#include "diffusion/flux_attention.h"

namespace conceptd::diffusion {

Tensor Adaptation::linear(AdaptedLinearImpl& base, const Tensor& x) { return base.plain(x); }

Tensor Adaptation::attend(AttentionImpl& attention, const Tensor& x, const Tensor& context) {
  return attention.once(x, context, *this);
}

JointTokens Adaptation::attend_jointly(FluxAttentionImpl& attention, const JointTokens& x, const Rotary& rotary) {
  return attention.once(x, rotary, *this);
}

AdaptedLinearImpl::AdaptedLinearImpl(int64_t in, int64_t out, bool with_bias, Layout layout) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(in));  // as torch::nn::Linear
  auto w = torch::empty({out, in}).uniform_(-bound, bound);
  weight = register_parameter("weight", layout == Layout::Pointwise ? w.view({out, in, 1, 1}) : w);
  if (with_bias) bias = register_parameter("bias", torch::empty({out}).uniform_(-bound, bound));
}

Tensor AdaptedLinearImpl::matrix() const { return weight.dim() == 2 ? weight : weight.flatten(1); }

Tensor AdaptedLinearImpl::plain(const Tensor& x) const { return torch::linear(x, matrix(), bias); }

void name_sites(torch::nn::Module& model) {
  for (auto& item : model.named_modules("", false)) {
    if (auto* linear = dynamic_cast<AdaptedLinearImpl*>(item.value().get())) linear->site.path = item.key();
    if (auto* attention = dynamic_cast<AttentionImpl*>(item.value().get())) attention->site.path = item.key();
    if (auto* joint = dynamic_cast<FluxAttentionImpl*>(item.value().get())) joint->site.path = item.key();
  }
}

}  // namespace conceptd::diffusion
