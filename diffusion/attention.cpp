#include "diffusion/attention.h"

#include "diffusion/blocks.h"

namespace conceptd::diffusion {
namespace nn = torch::nn;

namespace {
constexpr int64_t kLogitsMax = int64_t{1} << 26;  // values held at once: 256 MiB in fp32

Tensor attention_slice(const Tensor& query, const Tensor& key_t, const Tensor& value, const Tensor& bias) {
  auto logits = torch::matmul(query, key_t);  // (b, h, l, n)
  if (bias.defined()) logits = logits + bias;
  return torch::matmul(logits.softmax(-1, torch::kFloat).to(value.scalar_type()), value);
}

Tensor rows_of(const Tensor& x, int64_t dim, const Tensor& rows) {
  return rows.defined() && x.size(dim) > 1 ? x.index_select(dim, rows) : x;
}

Tensor attention_in_parts(const Attend& a) {
  std::vector<Tensor> answers, queries;
  for (const auto& part : a.parts) {
    Attend one{rows_of(a.query, 2, part.queries), rows_of(a.key, 2, part.keys), rows_of(a.value, 2, part.keys), {}};
    if (a.bias.defined()) one.bias = rows_of(rows_of(a.bias, -2, part.queries), -1, part.keys);
    answers.push_back(softmax_attention(one));
    queries.push_back(part.queries);
  }
  return torch::cat(answers, 1).index_select(1, torch::cat(queries).argsort());
}
}  // namespace

Tensor softmax_attention(const Attend& a) {
  if (!a.parts.empty()) return attention_in_parts(a);
  const auto query = a.query * (1.0 / std::sqrt(static_cast<double>(a.query.size(-1))));
  const auto key_t = a.key.transpose(-2, -1);
  const auto rows = query.size(2);
  const auto per_row = query.size(0) * query.size(1) * a.key.size(2);
  Tensor out;
  if (torch::GradMode::is_enabled() || rows * per_row <= kLogitsMax) {
    out = attention_slice(query, key_t, a.value, a.bias);
  } else {
    const auto step = std::max<int64_t>(1, kLogitsMax / per_row);
    std::vector<Tensor> parts;
    for (int64_t from = 0; from < rows; from += step) {
      const auto to = std::min(rows, from + step);
      auto bias = a.bias;
      if (bias.defined() && bias.size(-2) == rows) bias = bias.slice(-2, from, to);
      parts.push_back(attention_slice(query.slice(2, from, to), key_t, a.value, bias));
    }
    out = torch::cat(parts, 2);
  }
  return out.transpose(1, 2).flatten(2);
}

AttentionImpl::AttentionImpl(int64_t query_width, int64_t context_width, int64_t heads_, int64_t head_width_)
    : heads(heads_), head_width(head_width_) {
  const auto inner = heads * head_width;
  to_q = register_module("to_q", AdaptedLinear(query_width, inner, false));
  to_k = register_module("to_k", AdaptedLinear(context_width, inner, false));
  to_v = register_module("to_v", AdaptedLinear(context_width, inner, false));
  to_out = register_module("to_out", nn::ModuleList(AdaptedLinear(inner, query_width)));
}

Tensor AttentionImpl::split(const Tensor& t) const { return t.unflatten(-1, {heads, head_width}).transpose(1, 2); }

Tensor AttentionImpl::once(const Tensor& x, const Tensor& context, Adaptation& adapt) {
  Attend a{split(to_q(x, adapt)), split(to_k(context, adapt)), split(to_v(context, adapt)), {}};
  adapt.route(site, a);
  return to_out->at<AdaptedLinearImpl>(0).forward(softmax_attention(a), adapt);
}

FeedForwardImpl::FeedForwardImpl(int64_t width) {
  struct Geglu : nn::Module {};  // the checkpoint nests the projections: net.0.proj, net.2
  auto net = register_module("net", nn::ModuleList());
  auto gate = std::make_shared<Geglu>();
  proj = gate->register_module("proj", AdaptedLinear(width, 8 * width));
  out = AdaptedLinear(4 * width, width);
  net->push_back(gate);
  net->push_back(std::make_shared<Geglu>());  // dropout's place
  net->push_back(out.ptr());
}

Tensor FeedForwardImpl::forward(const Tensor& x, Adaptation& adapt) {
  const auto halves = proj(x, adapt).chunk(2, -1);
  return out(halves[0] * torch::gelu(halves[1]), adapt);
}

BasicTransformerBlockImpl::BasicTransformerBlockImpl(int64_t width, int64_t context_width, int64_t heads) {
  norm1 = register_module("norm1", nn::LayerNorm(nn::LayerNormOptions({width})));
  attn1 = register_module("attn1", Attention(width, width, heads, width / heads));
  norm2 = register_module("norm2", nn::LayerNorm(nn::LayerNormOptions({width})));
  attn2 = register_module("attn2", Attention(width, context_width, heads, width / heads));
  norm3 = register_module("norm3", nn::LayerNorm(nn::LayerNormOptions({width})));
  ff = register_module("ff", FeedForward(width));
}

Tensor BasicTransformerBlockImpl::forward(Tensor x, const Tensor& context, Adaptation& adapt) {
  const auto normed = norm1(x);
  x = x + attn1(normed, normed, adapt);
  x = x + attn2(norm2(x), context, adapt);
  return x + ff(norm3(x), adapt);
}

Transformer2DModelImpl::Transformer2DModelImpl(int64_t width, int64_t context_width, int64_t heads, int64_t layers,
                                               int64_t norm_groups, bool linear_projection) {
  const auto layout = linear_projection ? AdaptedLinearImpl::Layout::Linear : AdaptedLinearImpl::Layout::Pointwise;
  norm = register_module("norm", nn::GroupNorm(nn::GroupNormOptions(norm_groups, width).eps(1e-6)));
  proj_in = register_module("proj_in", AdaptedLinear(width, width, true, layout));
  transformer_blocks = register_module("transformer_blocks", nn::ModuleList());
  for (int64_t k = 0; k < layers; ++k)
    transformer_blocks->push_back(BasicTransformerBlock(width, context_width, heads));
  proj_out = register_module("proj_out", AdaptedLinear(width, width, true, layout));
}

Tensor Transformer2DModelImpl::forward(const Tensor& x, const Tensor& context, Adaptation& adapt) {
  const auto height = x.size(2), width = x.size(3);
  auto y = group_norm(x, norm).permute({0, 2, 3, 1}).flatten(1, 2);  // (b, l, width)
  y = proj_in(y, adapt);
  for (const auto& block : *transformer_blocks) y = block->as<BasicTransformerBlockImpl>()->forward(y, context, adapt);
  y = proj_out(y, adapt).unflatten(1, {height, width}).permute({0, 3, 1, 2});
  return y + x;
}

}  // namespace conceptd::diffusion
