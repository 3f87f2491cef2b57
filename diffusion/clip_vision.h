// CLIPVisionModelWithProjection: what a picture shows, in the transformers layout; member names are checkpoint keys.
// Source: huggingface/transformers v4.44 (behaviour); Radford et al. 2021, §2.4.
// Legend: b batch, n patches + 1, c width, p projection width, s side of the picture.
#pragma once
#include <array>

#include "diffusion/clip_encoder.h"
#include "diffusion/image_resize.h"

namespace conceptd::diffusion {

struct ClipVisionConfig : ClipEncoderConfig {
  int64_t image_size = 224, patch_size = 32, num_channels = 3, projection_dim = 512;
  static ClipVisionConfig from_json(const Json& config, const std::string& what = "image_encoder/config.json");
  Json to_json() const;
};

struct ClipVisionOutput {
  Tensor image_embeds;                // (b, p)
  Tensor last_hidden_state;           // (b, n, c)
  std::vector<Tensor> hidden_states;  // the encoder's input and every layer's output; only on request
};

struct ClipVisionEmbeddingsImpl : torch::nn::Module {
  explicit ClipVisionEmbeddingsImpl(const ClipVisionConfig& config);
  Tensor forward(const Tensor& pixels);
  Tensor class_embedding;  // (c)
  torch::nn::Conv2d patch_embedding{nullptr};
  torch::nn::Embedding position_embedding{nullptr};
};
TORCH_MODULE(ClipVisionEmbeddings);

struct ClipVisionTransformerImpl : torch::nn::Module {
  explicit ClipVisionTransformerImpl(const ClipVisionConfig& config);
  ClipVisionEmbeddings embeddings{nullptr};
  torch::nn::LayerNorm pre_layrnorm{nullptr};  // so spelled in every checkpoint
  ClipEncoder encoder{nullptr};
  torch::nn::LayerNorm post_layernorm{nullptr};
};
TORCH_MODULE(ClipVisionTransformer);

struct ClipVisionModelImpl : torch::nn::Module {
  explicit ClipVisionModelImpl(ClipVisionConfig config);
  ClipVisionOutput forward(const Tensor& pixels, Adaptation& adapt, bool hidden_states = false);  // (b, 3, s, s)
  ClipVisionConfig config;
  ClipVisionTransformer vision_model{nullptr};
  AdaptedLinear visual_projection{nullptr};
};
TORCH_MODULE(ClipVisionModel);

// CLIPImageProcessor: resize the short side, cut out the centre, scale, normalise.
struct ClipPreprocess {
  bool resize = true, center_crop = true, rescale = true, normalize = true;
  int64_t shortest_edge = 224, crop_height = 224, crop_width = 224;
  ResizeFilter filter = ResizeFilter::Bicubic;
  double rescale_factor = 1.0 / 255;
  std::array<double, 3> mean{0.48145466, 0.4578275, 0.40821073}, std{0.26862954, 0.26130258, 0.27577711};
  static ClipPreprocess for_size(int64_t side);  // CLIP's own numbers
  static ClipPreprocess from_json(const Json& config,
                                  const std::string& what = "feature_extractor/preprocessor_config.json");
  Json to_json() const;
  Tensor operator()(const Tensor& picture) const;  // (height, width, 3) uint8 -> (1, 3, crop_height, crop_width)
};

}  // namespace conceptd::diffusion
