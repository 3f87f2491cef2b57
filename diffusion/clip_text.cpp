#include "diffusion/clip_text.h"

#include <limits>

namespace conceptd::diffusion {
namespace nn = torch::nn;

namespace {
Tensor causal_bias(int64_t n, const Tensor& like) {  // (n, n): nobody looks ahead
  return torch::full({n, n}, -std::numeric_limits<float>::infinity(), like.options().dtype(torch::kFloat)).triu(1);
}

Tensor end_of_text(const Tensor& ids, int64_t eos_token_id) {  // (b)
  constexpr int64_t kLegacyEos = 2;
  return eos_token_id == kLegacyEos ? ids.argmax(-1) : (ids == eos_token_id).to(torch::kInt).argmax(-1);
}

nn::Embedding embedding(int64_t count, int64_t width) {
  nn::Embedding table(count, width);
  torch::NoGradGuard guard;
  table->weight.normal_(0, 0.02);
  return table;
}
}  // namespace

ClipTextConfig ClipTextConfig::from_json(const Json& json, const std::string& what) {
  ConfigReader reader(json, what);
  ClipTextConfig config;
  config.read(reader);
  config.vocab_size = reader.integer("vocab_size", 1, 1 << 20);
  config.max_position_embeddings = reader.integer("max_position_embeddings", 2, 4096);
  config.projection_dim = reader.integer("projection_dim", 1, 16384, config.projection_dim);
  config.bos_token_id = reader.integer("bos_token_id", 0, 1 << 20, config.bos_token_id);
  config.eos_token_id = reader.integer("eos_token_id", 0, 1 << 20, config.eos_token_id);
  config.pad_token_id = reader.integer("pad_token_id", 0, 1 << 20, config.pad_token_id);
  if (reader.has("architectures")) {
    const auto names = reader.texts("architectures");
    config.with_projection = names == std::vector<std::string>{"CLIPTextModelWithProjection"};
    if (!config.with_projection && names != std::vector<std::string>{"CLIPTextModel"}) {
      throw reader.refuse("architectures", "is neither CLIPTextModel nor CLIPTextModelWithProjection");
    }
  }
  reader.expect("model_type", "clip_text_model");
  reader.ignore({"attention_dropout", "dropout", "initializer_factor", "initializer_range", "torch_dtype",
                 "transformers_version", "use_cache"});
  reader.finish();
  return config;
}

Json ClipTextConfig::to_json() const {
  Json json{{"architectures", {with_projection ? "CLIPTextModelWithProjection" : "CLIPTextModel"}},
            {"model_type", "clip_text_model"},
            {"vocab_size", vocab_size},
            {"max_position_embeddings", max_position_embeddings},
            {"projection_dim", projection_dim},
            {"bos_token_id", bos_token_id},
            {"eos_token_id", eos_token_id},
            {"pad_token_id", pad_token_id}};
  write(json);
  return json;
}

ClipTextEmbeddingsImpl::ClipTextEmbeddingsImpl(const ClipTextConfig& config) {
  token_embedding = register_module("token_embedding", embedding(config.vocab_size, config.hidden_size));
  position_embedding =
      register_module("position_embedding", embedding(config.max_position_embeddings, config.hidden_size));
}

Tensor ClipTextEmbeddingsImpl::forward(const Tensor& ids, const Tensor& placeholder_rows) {
  const auto& table = token_embedding->weight;
  const auto vocab = table.size(0), extra = placeholder_rows.defined() ? placeholder_rows.size(0) : 0;
  const auto largest = ids.max().item<int64_t>();
  if (ids.min().item<int64_t>() < 0 || largest >= vocab + extra) {
    throw Error(Code::invalid, "token id " + std::to_string(largest) + " is beyond the table's " +
                                   std::to_string(vocab) + " rows and the " + std::to_string(extra) +
                                   " placeholder rows");
  }
  auto x = torch::embedding(table, ids.clamp_max(vocab - 1));  // (b, n, c)
  if (largest >= vocab) {
    const auto rows = torch::embedding(placeholder_rows.to(table.scalar_type()), (ids - vocab).clamp_min(0));
    x = torch::where((ids >= vocab).unsqueeze(-1), rows, x);
  }
  return x + position_embedding->weight.slice(0, 0, ids.size(1));
}

ClipTextTransformerImpl::ClipTextTransformerImpl(const ClipTextConfig& config) {
  embeddings = register_module("embeddings", ClipTextEmbeddings(config));
  encoder = register_module("encoder", ClipEncoder(config));
  final_layer_norm = register_module("final_layer_norm", clip_layer_norm(config));
}

ClipTextModelImpl::ClipTextModelImpl(ClipTextConfig config_) : config(std::move(config_)) {
  text_model = register_module("text_model", ClipTextTransformer(config));
  if (config.with_projection) {
    text_projection =
        register_module("text_projection", AdaptedLinear(config.hidden_size, config.projection_dim, false));
  }
  name_sites(*this);
}

ClipTextOutput ClipTextModelImpl::forward(const Tensor& ids, Adaptation& adapt, const ClipTextOptions& options) {
  const auto& rows = options.placeholder_rows;
  if (ids.dim() != 2 || ids.scalar_type() != torch::kLong || ids.numel() == 0 ||
      ids.size(1) > config.max_position_embeddings) {
    throw Error(Code::invalid,
                "token ids must be (b, n) int64 with n up to " + std::to_string(config.max_position_embeddings));
  }
  if (rows.defined() && (rows.dim() != 2 || rows.size(1) != config.hidden_size)) {
    throw Error(Code::invalid, "placeholder rows must be (k, " + std::to_string(config.hidden_size) + ")");
  }
  if (options.clip_skip < 0 || options.clip_skip >= config.num_hidden_layers) {
    throw Error(Code::invalid, "clip_skip must be from 0 to " + std::to_string(config.num_hidden_layers - 1));
  }
  ClipTextOutput out;
  auto x = text_model->embeddings(ids, rows);
  x = text_model->encoder(x, causal_bias(ids.size(1), x), adapt, config.num_hidden_layers - options.clip_skip,
                          options.hidden_states ? &out.hidden_states : nullptr);
  out.last_hidden_state = text_model->final_layer_norm(x);
  const auto rows_of_batch = torch::arange(ids.size(0), ids.options());
  out.pooled = out.last_hidden_state.index({rows_of_batch, end_of_text(ids, config.eos_token_id)});
  if (text_projection) out.text_embeds = text_projection(out.pooled, adapt);
  return out;
}

}  // namespace conceptd::diffusion
