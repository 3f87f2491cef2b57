#include "diffusion/t5_encoder.h"

#include "core/error.h"
#include "diffusion/attention.h"
#include "diffusion/config_reader.h"

namespace conceptd::diffusion {
namespace nn = torch::nn;

namespace {
struct Nest : nn::Module {};  // the checkpoint nests: encoder.block.0.layer.1.DenseReluDense.wi_0
}  // namespace

T5Config T5Config::from_json(const Json& json) {
  ConfigReader reader(json, "text_encoder_2/config.json");
  T5Config config;
  config.vocab_size = reader.integer("vocab_size", 1, 1 << 24, config.vocab_size);
  config.d_model = reader.integer("d_model", 1, 65536, config.d_model);
  config.d_kv = reader.integer("d_kv", 1, 4096, config.d_kv);
  config.d_ff = reader.integer("d_ff", 1, 1 << 20, config.d_ff);
  config.num_layers = reader.integer("num_layers", 1, 256, config.num_layers);
  config.num_heads = reader.integer("num_heads", 1, 256, config.num_heads);
  config.relative_buckets = reader.integer("relative_attention_num_buckets", 4, 4096, config.relative_buckets);
  config.relative_distance = reader.integer("relative_attention_max_distance", 2, 1 << 20, config.relative_distance);
  if (config.relative_buckets % 2) throw reader.refuse("relative_attention_num_buckets", "is odd");
  if (config.relative_distance <= config.relative_buckets / 4)
    throw reader.refuse("relative_attention_max_distance", "is too small for so many buckets");
  config.layer_norm_epsilon = reader.number("layer_norm_epsilon", 0, 1, config.layer_norm_epsilon);
  reader.expect("feed_forward_proj", "gated-gelu");
  reader.expect("model_type", "t5");
  reader.expect("dense_act_fn", "gelu_new");
  reader.expect("is_gated_act", true);
  reader.expect("is_encoder_decoder", false);
  // Of training, of the decoder that is not here, or of the tokenizer.
  reader.ignore({"architectures", "classifier_dropout", "decoder_start_token_id", "dropout_rate", "eos_token_id",
                 "initializer_factor", "n_positions", "num_decoder_layers", "output_past", "pad_token_id",
                 "tie_word_embeddings", "torch_dtype", "transformers_version", "use_cache"});
  reader.finish();
  return config;
}

Json T5Config::to_json() const {
  return {{"model_type", "t5"},
          {"feed_forward_proj", "gated-gelu"},
          {"vocab_size", vocab_size},
          {"d_model", d_model},
          {"d_kv", d_kv},
          {"d_ff", d_ff},
          {"num_layers", num_layers},
          {"num_heads", num_heads},
          {"relative_attention_num_buckets", relative_buckets},
          {"relative_attention_max_distance", relative_distance},
          {"layer_norm_epsilon", layer_norm_epsilon}};
}

Tensor t5_buckets(const Tensor& offset, int64_t buckets, int64_t distance) {
  const auto half = buckets / 2, exact = half / 2;  // one half for keys behind, one for those before
  const auto far = offset.abs();
  const auto ratio = (far.to(torch::kFloat) / static_cast<double>(exact)).log() /
                     std::log(static_cast<double>(distance) / static_cast<double>(exact));
  const auto spread = exact + (ratio * static_cast<double>(half - exact)).to(torch::kLong);
  return (offset > 0).to(torch::kLong) * half + torch::where(far < exact, far, spread.clamp_max(half - 1));
}

T5AttentionImpl::T5AttentionImpl(const T5Config& config_, bool with_bias) : config(config_) {
  const auto inner = config.num_heads * config.d_kv;
  q = register_module("q", AdaptedLinear(config.d_model, inner, false));
  k = register_module("k", AdaptedLinear(config.d_model, inner, false));
  v = register_module("v", AdaptedLinear(config.d_model, inner, false));
  o = register_module("o", AdaptedLinear(inner, config.d_model, false));
  if (with_bias)
    relative_attention_bias =
        register_module("relative_attention_bias", nn::Embedding(config.relative_buckets, config.num_heads));
}

Tensor T5AttentionImpl::positions(int64_t n) {
  const auto at = torch::arange(n, torch::kLong);
  const auto buckets = t5_buckets(at.unsqueeze(0) - at.unsqueeze(1), config.relative_buckets, config.relative_distance);
  return relative_attention_bias(buckets).permute({2, 0, 1}).unsqueeze(0);
}

Tensor T5AttentionImpl::forward(const Tensor& x, const Tensor& bias, Adaptation& adapt) {
  const auto split = [&](const Tensor& t) { return t.unflatten(-1, {config.num_heads, config.d_kv}).transpose(1, 2); };
  const auto unscaled = std::sqrt(static_cast<double>(config.d_kv));  // T5 does not divide by it
  const Attend a{split(q(x, adapt)) * unscaled, split(k(x, adapt)), split(v(x, adapt)), bias};
  return o(softmax_attention(a), adapt);
}

T5BlockImpl::T5BlockImpl(const T5Config& config, bool with_bias) {
  auto layers = register_module("layer", nn::ModuleList());
  const auto first = std::make_shared<Nest>(), second = std::make_shared<Nest>(), dense = std::make_shared<Nest>();
  attention = first->register_module("SelfAttention", T5Attention(config, with_bias));
  attention_norm = first->register_module("layer_norm", RmsNorm(config.d_model, config.layer_norm_epsilon));
  wi_0 = dense->register_module("wi_0", AdaptedLinear(config.d_model, config.d_ff, false));
  wi_1 = dense->register_module("wi_1", AdaptedLinear(config.d_model, config.d_ff, false));
  wo = dense->register_module("wo", AdaptedLinear(config.d_ff, config.d_model, false));
  second->register_module("DenseReluDense", dense);
  feed_norm = second->register_module("layer_norm", RmsNorm(config.d_model, config.layer_norm_epsilon));
  layers->push_back(first);
  layers->push_back(second);
}

Tensor T5BlockImpl::forward(Tensor x, const Tensor& bias, Adaptation& adapt) {
  x = x + attention(attention_norm(x), bias, adapt);
  const auto normed = feed_norm(x);
  return x + wo(torch::gelu(wi_0(normed, adapt), "tanh") * wi_1(normed, adapt), adapt);
}

T5EncoderModelImpl::T5EncoderModelImpl(T5Config config_) : config(std::move(config_)) {
  shared = register_module("shared", nn::Embedding(config.vocab_size, config.d_model));
  auto encoder = register_module("encoder", std::make_shared<Nest>());
  auto list = encoder->register_module("block", nn::ModuleList());
  for (int64_t k = 0; k < config.num_layers; ++k) {
    blocks.emplace_back(config, k == 0);
    list->push_back(blocks.back().ptr());
  }
  final_layer_norm = encoder->register_module("final_layer_norm", RmsNorm(config.d_model, config.layer_norm_epsilon));
  name_sites(*this);
}

Tensor T5EncoderModelImpl::forward(const Tensor& ids, const Tensor& mask, Adaptation& adapt) {
  if (ids.numel() == 0 || ids.min().item<int64_t>() < 0 || ids.max().item<int64_t>() >= config.vocab_size)
    throw Error(Code::invalid, "a token id is not in the encoder's table", "ids");
  auto bias = blocks[0]->attention->positions(ids.size(1));
  if (mask.defined())
    bias = bias + (1 - mask.to(torch::kFloat)).view({mask.size(0), 1, 1, -1}) * std::numeric_limits<float>::lowest();
  auto x = shared(ids);
  for (auto& block : blocks) x = block(x, bias, adapt);
  return final_layer_norm(x);
}

}  // namespace conceptd::diffusion
