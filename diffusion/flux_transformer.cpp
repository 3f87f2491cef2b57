#include "diffusion/flux_transformer.h"

#include "core/error.h"

namespace conceptd::diffusion {
namespace nn = torch::nn;

namespace {
constexpr int64_t kTimeFeatures = 256;
constexpr double kTrainTimesteps = 1000, kNormEps = 1e-6;

Tensor with_modulations(const Tensor& x) { return x.dim() == 2 ? x.unsqueeze(1) : x; }  // (b, …) -> (b, 1, …)

Tensor features(const Tensor& time) {  // (b, m) -> (b, m, 256)
  return timestep_features(time.to(torch::kFloat) * kTrainTimesteps, kTimeFeatures, true, 0);
}

Tensor chosen(const Tensor& x, const Tensor& which) { return which.defined() ? x.index_select(1, which) : x; }

void check(const FluxInput& in) {
  const auto fits = [](const Tensor& which, const Tensor& tokens) {
    return which.defined() && which.sizes() == at::IntArrayRef{tokens.size(1)};
  };
  const auto m = in.timestep.dim() == 2 ? in.timestep.size(1) : 1;
  const bool chooses = in.image_modulation.defined() || in.text_modulation.defined();
  if ((m > 1 || chooses) && !(fits(in.image_modulation, in.image) && fits(in.text_modulation, in.text)))
    throw Error(Code::internal, "not every token knows its modulation");
  if (in.answered < 0 || in.answered > in.image.size(1))
    throw Error(Code::internal, "there are not so many image tokens to answer");
}
}  // namespace

AdaLayerNormImpl::AdaLayerNormImpl(int64_t width, int64_t parts_) : parts(parts_) {
  linear = register_module("linear", AdaptedLinear(width, parts * width));
}

std::vector<Tensor> AdaLayerNormImpl::forward(const Tensor& condition, const Tensor& which, Adaptation& adapt) {
  return chosen(linear(condition, adapt), which).chunk(parts, -1);
}

Tensor modulated(const Tensor& x, const Tensor& shift, const Tensor& scale) {
  return torch::layer_norm(x, {x.size(-1)}, {}, {}, kNormEps) * (1 + scale) + shift;
}

GeluFeedForwardImpl::GeluFeedForwardImpl(int64_t width) {
  struct Nest : nn::Module {};  // the checkpoint nests the projections: net.0.proj, net.2
  auto net = register_module("net", nn::ModuleList());
  auto first = std::make_shared<Nest>();
  proj = first->register_module("proj", AdaptedLinear(width, 4 * width));
  out = AdaptedLinear(4 * width, width);
  net->push_back(first);
  net->push_back(std::make_shared<Nest>());  // dropout's place
  net->push_back(out.ptr());
}

FluxTransformerBlockImpl::FluxTransformerBlockImpl(const FluxConfig& config) {
  const auto width = config.width();
  norm1 = register_module("norm1", AdaLayerNorm(width, 6));
  norm1_context = register_module("norm1_context", AdaLayerNorm(width, 6));
  attn = register_module("attn", FluxAttention(config.num_attention_heads, config.attention_head_dim, true));
  ff = register_module("ff", GeluFeedForward(width));
  ff_context = register_module("ff_context", GeluFeedForward(width));
}

JointTokens FluxTransformerBlockImpl::forward(JointTokens x, const FluxModulation& modulation, const Rotary& rotary,
                                              Adaptation& adapt) {
  enum { kShift, kScale, kGate, kShiftMlp, kScaleMlp, kGateMlp };
  const auto image = norm1(modulation.condition, modulation.image, adapt);
  const auto text = norm1_context(modulation.condition, modulation.text, adapt);
  const JointTokens normed{modulated(x.image, image[kShift], image[kScale]),
                           modulated(x.text, text[kShift], text[kScale])};
  const auto seen = attn(normed, rotary, adapt);
  x.image = x.image + image[kGate] * seen.image;
  x.image = x.image + image[kGateMlp] * ff(modulated(x.image, image[kShiftMlp], image[kScaleMlp]), adapt);
  x.text = x.text + text[kGate] * seen.text;
  x.text = x.text + text[kGateMlp] * ff_context(modulated(x.text, text[kShiftMlp], text[kScaleMlp]), adapt);
  return x;
}

FluxSingleTransformerBlockImpl::FluxSingleTransformerBlockImpl(const FluxConfig& config) {
  const auto width = config.width();
  norm = register_module("norm", AdaLayerNorm(width, 3));
  attn = register_module("attn", FluxAttention(config.num_attention_heads, config.attention_head_dim, false));
  proj_mlp = register_module("proj_mlp", AdaptedLinear(width, 4 * width));
  proj_out = register_module("proj_out", AdaptedLinear(5 * width, width));
}

Tensor FluxSingleTransformerBlockImpl::forward(const Tensor& x, const FluxModulation& modulation, const Rotary& rotary,
                                               Adaptation& adapt) {
  const auto parts = norm(modulation.condition, modulation.all, adapt);  // shift, scale, gate
  const auto normed = modulated(x, parts[0], parts[1]);
  const auto thought = torch::gelu(proj_mlp(normed, adapt), "tanh");
  const auto seen = attn(JointTokens{normed, {}}, rotary, adapt).image;
  return x + parts[2] * proj_out(torch::cat({seen, thought}, -1), adapt);
}

FluxConditionImpl::FluxConditionImpl(const FluxConfig& config) {
  const auto width = config.width();
  timestep_embedder = register_module("timestep_embedder", TimestepEmbedding(kTimeFeatures, width));
  if (config.guidance_embeds)
    guidance_embedder = register_module("guidance_embedder", TimestepEmbedding(kTimeFeatures, width));
  text_embedder = register_module("text_embedder", TimestepEmbedding(config.pooled_projection_dim, width));
}

Tensor FluxConditionImpl::forward(const FluxInput& in, Adaptation& adapt) {
  const auto dtype = text_embedder->linear_1->weight.scalar_type();
  const auto time = in.timestep.dim() == 2 ? in.timestep : in.timestep.unsqueeze(1);  // (b, m)
  auto condition = timestep_embedder(features(time).to(dtype), adapt);
  if (guidance_embedder) {
    if (!in.guidance.defined()) throw Error(Code::internal, "a model that reads its guidance was given none");
    condition = condition + guidance_embedder(features(in.guidance.unsqueeze(1)).to(dtype), adapt);
  }
  return condition + text_embedder(with_modulations(in.pooled).to(dtype), adapt);
}

FluxTransformer2DModelImpl::FluxTransformer2DModelImpl(FluxConfig config_) : config(std::move(config_)) {
  const auto width = config.width();
  time_text_embed = register_module("time_text_embed", FluxCondition(config));
  context_embedder = register_module("context_embedder", AdaptedLinear(config.joint_attention_dim, width));
  x_embedder = register_module("x_embedder", AdaptedLinear(config.in_channels, width));
  transformer_blocks = register_module("transformer_blocks", nn::ModuleList());
  for (int64_t k = 0; k < config.num_layers; ++k) transformer_blocks->push_back(FluxTransformerBlock(config));
  single_transformer_blocks = register_module("single_transformer_blocks", nn::ModuleList());
  for (int64_t k = 0; k < config.num_single_layers; ++k)
    single_transformer_blocks->push_back(FluxSingleTransformerBlock(config));
  norm_out = register_module("norm_out", AdaLayerNorm(width, 2));
  proj_out = register_module("proj_out", AdaptedLinear(width, config.in_channels));
  name_sites(*this);
}

Tensor FluxTransformer2DModelImpl::forward(const FluxInput& in, Adaptation& adapt) {
  check(in);
  const auto dtype = x_embedder->weight.scalar_type();  // computes in this; comes and goes in the latents'
  FluxModulation modulation{torch::silu(time_text_embed(in, adapt)), in.image_modulation, in.text_modulation, {}};
  if (modulation.image.defined()) modulation.all = torch::cat({modulation.text, modulation.image});
  const auto rotary = rotary_of(torch::cat({in.text_ids, in.image_ids}), config.axes_dims_rope);
  JointTokens x{x_embedder(in.image.to(dtype), adapt), context_embedder(in.text.to(dtype), adapt)};
  for (const auto& block : *transformer_blocks)
    x = block->as<FluxTransformerBlockImpl>()->forward(x, modulation, rotary, adapt);
  const auto n = x.text.size(1), answered = in.answered ? in.answered : in.image.size(1);
  auto all = torch::cat({x.text, x.image}, 1);
  for (const auto& block : *single_transformer_blocks)
    all = block->as<FluxSingleTransformerBlockImpl>()->forward(all, modulation, rotary, adapt);
  const auto which = modulation.image.defined() ? modulation.image.slice(0, 0, answered) : Tensor();
  const auto parts = norm_out(modulation.condition, which, adapt);  // here scale comes before shift
  return proj_out(modulated(all.slice(1, n, n + answered), parts[1], parts[0]), adapt).to(in.image.scalar_type());
}

}  // namespace conceptd::diffusion
