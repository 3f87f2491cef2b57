// Joint attention of an MM-DiT in the diffusers Flux layout: text and image tokens attend as one sequence, text first.
// Member names are checkpoint keys.
// Source: Esser et al. 2024 (arXiv 2403.03206), §4; behaviour: huggingface/diffusers v0.30.3, FluxAttnProcessor2_0 and
// rope(); Su et al. 2021 (arXiv 2104.09864) for the rotation, Zhang and Sennrich 2019 (arXiv 1910.07467) for the norm.
// Legend: b batch, s tokens of the sequence, a axes of a position, h heads, d head width, i = h*d.
#pragma once
#include <vector>

#include "diffusion/adaptation.h"

namespace conceptd::diffusion {

// How far each pair of channels of each token is turned.
struct Rotary {
  Tensor cos, sin;  // (s, d/2) fp32
};
// ids (s, a): where a token stands on each axis; axes: how many channels each axis turns, even, d in all.
Rotary rotary_of(const Tensor& ids, const std::vector<int64_t>& axes);
Tensor rotate(const Tensor& x, const Rotary& rotary);  // (b, h, s, d), neighbouring channels are a pair

struct RmsNormImpl : torch::nn::Module {
  explicit RmsNormImpl(int64_t width, double eps = 1e-6);
  Tensor forward(const Tensor& x) const;  // (…, width), statistics in fp32
  double eps;
  Tensor weight;
};
TORCH_MODULE(RmsNorm);

// Queries and keys are normed over d, then turned; route() sees them after both.
struct FluxAttentionImpl : torch::nn::Module {
  FluxAttentionImpl(int64_t heads, int64_t head_width, bool joint);
  JointTokens forward(const JointTokens& x, const Rotary& rotary, Adaptation& adapt) {
    return adapt.attend_jointly(*this, x, rotary);
  }
  // Joint: both streams have projections of their own. If not, only to_q, to_k, to_v and their norms are there, and
  // what softmax yields is returned as it is.
  JointTokens once(const JointTokens& x, const Rotary& rotary, Adaptation& adapt);
  Tensor split(const Tensor& t) const;  // (b, s, i) -> (b, h, s, d)
  int64_t heads, head_width;
  Site site;
  AdaptedLinear to_q{nullptr}, to_k{nullptr}, to_v{nullptr};
  RmsNorm norm_q{nullptr}, norm_k{nullptr};
  torch::nn::ModuleList to_out{nullptr};  // [linear]: the checkpoint says to_out.0
  AdaptedLinear add_q_proj{nullptr}, add_k_proj{nullptr}, add_v_proj{nullptr}, to_add_out{nullptr};
  RmsNorm norm_added_q{nullptr}, norm_added_k{nullptr};
};
TORCH_MODULE(FluxAttention);

}  // namespace conceptd::diffusion
