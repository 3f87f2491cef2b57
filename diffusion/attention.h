// Attention and the transformer of a UNet level, in the diffusers layout: member names are checkpoint keys.
#pragma once
#include "diffusion/adaptation.h"

namespace conceptd::diffusion {

// softmax(query keyT / sqrt(d) + bias) value, heads joined: (b, l, i). Slices over queries when the logits would be
// large; part by part where there are parts.
Tensor softmax_attention(const Attend& a);

// Multi-head attention. `context` is x itself for self-attention, the text states (b, n, c) for cross-attention.
struct AttentionImpl : torch::nn::Module {
  AttentionImpl(int64_t query_width, int64_t context_width, int64_t heads, int64_t head_width);
  Tensor forward(const Tensor& x, const Tensor& context, Adaptation& adapt) { return adapt.attend(*this, x, context); }
  Tensor once(const Tensor& x, const Tensor& context, Adaptation& adapt);
  Tensor split(const Tensor& t) const;  // (b, n, h*d) -> (b, h, n, d)
  int64_t heads, head_width;
  Site site;
  AdaptedLinear to_q{nullptr}, to_k{nullptr}, to_v{nullptr};
  torch::nn::ModuleList to_out{nullptr};  // [linear]: the checkpoint says to_out.0
};
TORCH_MODULE(Attention);

// GEGLU feed-forward: ff.net.0.proj and ff.net.2.
struct FeedForwardImpl : torch::nn::Module {
  explicit FeedForwardImpl(int64_t width);
  Tensor forward(const Tensor& x, Adaptation& adapt);
  AdaptedLinear proj{nullptr}, out{nullptr};
};
TORCH_MODULE(FeedForward);

struct BasicTransformerBlockImpl : torch::nn::Module {
  BasicTransformerBlockImpl(int64_t width, int64_t context_width, int64_t heads);
  Tensor forward(Tensor x, const Tensor& context, Adaptation& adapt);  // (b, l, width)
  torch::nn::LayerNorm norm1{nullptr}, norm2{nullptr}, norm3{nullptr};
  Attention attn1{nullptr}, attn2{nullptr};
  FeedForward ff{nullptr};
};
TORCH_MODULE(BasicTransformerBlock);

struct Transformer2DModelImpl : torch::nn::Module {
  Transformer2DModelImpl(int64_t width, int64_t context_width, int64_t heads, int64_t layers, int64_t norm_groups,
                         bool linear_projection);
  Tensor forward(const Tensor& x, const Tensor& context, Adaptation& adapt);  // (b, width, s, s), channels last
  torch::nn::GroupNorm norm{nullptr};
  AdaptedLinear proj_in{nullptr}, proj_out{nullptr};
  torch::nn::ModuleList transformer_blocks{nullptr};
};
TORCH_MODULE(Transformer2DModel);

}  // namespace conceptd::diffusion
