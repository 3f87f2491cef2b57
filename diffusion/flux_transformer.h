// FluxTransformer2DModel: an MM-DiT, the denoiser of the Flux family, in the diffusers layout; member names are
// checkpoint keys. It predicts the velocity noise - picture of a straight path between the two.
// Source: huggingface/diffusers v0.30.3 (behaviour); Esser et al. 2024 (arXiv 2403.03206) for the joint blocks and
// rectified flow; Peebles and Xie 2023 (arXiv 2212.09748) for adaLN-Zero.
//
// Legend: b batch, l image tokens, n text tokens, c channels of a packed latent token, j width of the text states, p
// width of the pooled text, w width of the model, m modulations.
#pragma once
#include "core/json.h"
#include "diffusion/flux_attention.h"
#include "diffusion/unet_2d_condition.h"

namespace conceptd::diffusion {

struct FluxConfig {
  int64_t in_channels = 64, num_layers = 19, num_single_layers = 38;
  int64_t attention_head_dim = 128, num_attention_heads = 24;
  int64_t joint_attention_dim = 4096, pooled_projection_dim = 768;
  bool guidance_embeds = false;
  std::vector<int64_t> axes_dims_rope{16, 56, 56};
  int64_t width() const { return attention_head_dim * num_attention_heads; }
  static FluxConfig from_json(const Json& config);  // Error{invalid} names the field that is missing or not supported
  Json to_json() const;
};

struct FluxInput {
  Tensor image;                // (b, l, c)
  Tensor text;                 // (b, n, j)
  Tensor pooled;               // (b, p), or (b, m, p)
  Tensor timestep;             // (b), or (b, m): 1 is noise, 0 the picture
  Tensor guidance = {};        // (b); read where the model has guidance_embeds
  Tensor image_ids, text_ids;  // (l, 3), (n, 3): positions
  // Tokens that are modulated by time and text of their own: which of the m a token is. Undefined: m is 1.
  Tensor image_modulation = {}, text_modulation = {};  // (l), (n) int64
  int64_t answered = 0;                                // only so many first image tokens are answered; 0: all
};

// shift, scale and gate from what is known of time and text: (b, m, w) -> `parts` of (b, m, w), or of (b, tokens, w)
// where `which` (tokens) says which modulation a token has.
struct AdaLayerNormImpl : torch::nn::Module {
  AdaLayerNormImpl(int64_t width, int64_t parts);
  std::vector<Tensor> forward(const Tensor& condition, const Tensor& which, Adaptation& adapt);
  int64_t parts;
  AdaptedLinear linear{nullptr};
};
TORCH_MODULE(AdaLayerNorm);
Tensor modulated(const Tensor& x, const Tensor& shift, const Tensor& scale);  // layer norm without weights, then these

struct GeluFeedForwardImpl : torch::nn::Module {  // ff.net.0.proj and ff.net.2
  explicit GeluFeedForwardImpl(int64_t width);
  Tensor forward(const Tensor& x, Adaptation& adapt) { return out(torch::gelu(proj(x, adapt), "tanh"), adapt); }
  AdaptedLinear proj{nullptr}, out{nullptr};
};
TORCH_MODULE(GeluFeedForward);

struct FluxModulation {     // of one pass
  Tensor condition;         // (b, m, w) after SiLU: every block applies it first
  Tensor image, text, all;  // (l), (n), (n + l); undefined: m is 1
};

struct FluxTransformerBlockImpl : torch::nn::Module {
  explicit FluxTransformerBlockImpl(const FluxConfig& config);
  JointTokens forward(JointTokens x, const FluxModulation& modulation, const Rotary& rotary, Adaptation& adapt);
  AdaLayerNorm norm1{nullptr}, norm1_context{nullptr};
  FluxAttention attn{nullptr};
  GeluFeedForward ff{nullptr}, ff_context{nullptr};
};
TORCH_MODULE(FluxTransformerBlock);

struct FluxSingleTransformerBlockImpl : torch::nn::Module {
  explicit FluxSingleTransformerBlockImpl(const FluxConfig& config);
  // (b, n + l, w), text first
  Tensor forward(const Tensor& x, const FluxModulation& modulation, const Rotary& rotary, Adaptation& adapt);
  AdaLayerNorm norm{nullptr};
  FluxAttention attn{nullptr};
  AdaptedLinear proj_mlp{nullptr}, proj_out{nullptr};
};
TORCH_MODULE(FluxSingleTransformerBlock);

struct FluxConditionImpl : torch::nn::Module {  // the checkpoint's time_text_embed
  explicit FluxConditionImpl(const FluxConfig& config);
  Tensor forward(const FluxInput& in, Adaptation& adapt);  // (b, m, w)
  TimestepEmbedding timestep_embedder{nullptr}, guidance_embedder{nullptr}, text_embedder{nullptr};
};
TORCH_MODULE(FluxCondition);

struct FluxTransformer2DModelImpl : torch::nn::Module {
  explicit FluxTransformer2DModelImpl(FluxConfig config);
  Tensor forward(const FluxInput& in, Adaptation& adapt);  // (b, l or in.answered, c)
  FluxConfig config;
  FluxCondition time_text_embed{nullptr};
  AdaptedLinear context_embedder{nullptr}, x_embedder{nullptr}, proj_out{nullptr};
  torch::nn::ModuleList transformer_blocks{nullptr}, single_transformer_blocks{nullptr};
  AdaLayerNorm norm_out{nullptr};
};
TORCH_MODULE(FluxTransformer2DModel);

}  // namespace conceptd::diffusion
