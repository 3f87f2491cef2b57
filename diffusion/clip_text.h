// CLIPTextModel: what the prompt says, in the transformers layout; member names are checkpoint keys.
// Source: huggingface/transformers v4.44 (behaviour); Radford et al. 2021, §2.4.
// Legend: b batch, n tokens, c width, k placeholder rows, p projection width.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "diffusion/clip_encoder.h"

namespace conceptd::diffusion {

struct ClipTextConfig : ClipEncoderConfig {
  int64_t vocab_size = 49408, max_position_embeddings = 77, projection_dim = 768;
  int64_t bos_token_id = 0, eos_token_id = 2,
          pad_token_id = 1;      // 2: the legacy value of real SD 1.x configs, see pooled
  bool with_projection = false;  // CLIPTextModelWithProjection
  static ClipTextConfig from_json(
      const Json& config,
      const std::string& what = "text_encoder/config.json");  // Error{invalid} names the field
  Json to_json() const;
};

struct ClipTextOptions {
  Tensor placeholder_rows = {};  // (k, c): ids from vocab_size on mean these rows; gradients reach them
  int64_t clip_skip = 0;         // leave out this many of the last layers (diffusers' clip_skip)
  bool hidden_states = false;    // also return the input and every layer's output
};

struct ClipTextOutput {
  Tensor last_hidden_state;  // (b, n, c), after the final norm: what cross-attention reads
  // (b, c): last_hidden_state where the text ends, which is the first eos_token_id; with the legacy eos_token_id 2 it
  // is the largest id, so a placeholder moves it.
  Tensor pooled;
  Tensor text_embeds;                 // (b, p), pooled after text_projection; undefined without one
  std::vector<Tensor> hidden_states;  // (b, n, c) each, before the final norm
};

struct ClipTextEmbeddingsImpl : torch::nn::Module {
  explicit ClipTextEmbeddingsImpl(const ClipTextConfig& config);
  Tensor forward(const Tensor& ids, const Tensor& placeholder_rows);
  torch::nn::Embedding token_embedding{nullptr}, position_embedding{nullptr};
};
TORCH_MODULE(ClipTextEmbeddings);

struct ClipTextTransformerImpl : torch::nn::Module {
  explicit ClipTextTransformerImpl(const ClipTextConfig& config);
  ClipTextEmbeddings embeddings{nullptr};
  ClipEncoder encoder{nullptr};
  torch::nn::LayerNorm final_layer_norm{nullptr};
};
TORCH_MODULE(ClipTextTransformer);

struct ClipTextModelImpl : torch::nn::Module {
  explicit ClipTextModelImpl(ClipTextConfig config);
  // ids (b, n) int64, n up to max_position_embeddings. Error{invalid} on an id that neither the table nor the rows
  // have.
  ClipTextOutput forward(const Tensor& ids, Adaptation& adapt, const ClipTextOptions& options = {});
  ClipTextConfig config;
  ClipTextTransformer text_model{nullptr};
  AdaptedLinear text_projection{nullptr};
};
TORCH_MODULE(ClipTextModel);

}  // namespace conceptd::diffusion
