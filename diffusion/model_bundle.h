// A frozen base model: one folder in the diffusers layout, loaded whole. The daemon and the learner share it; nothing
// writes to it. Folders come from anywhere: whatever is missing, unknown or does not fit is an Error that names the
// file and the field or key.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "core/digest.h"
#include "diffusion/autoencoder_kl.h"
#include "diffusion/clip_text.h"
#include "diffusion/clip_tokenizer.h"
#include "diffusion/clip_vision.h"
#include "diffusion/flux_transformer.h"
#include "diffusion/unet_2d_condition.h"

namespace conceptd::diffusion {

struct BundleOptions {
  torch::ScalarType compute = torch::kFloat;  // or kBFloat16: of denoiser and vae. Encoders run once a prompt, in fp32
};

// What a base draws best with, where nobody says otherwise: generation.json in its folder, in the words of diffusers'
// pipelines ({"guidance_scale": 2.5, "num_inference_steps": 25}); it changes no picture that says its own, and is not
// part of the fingerprint.
struct GenerationDefaults {
  int64_t steps = 30;
  double guidance = 7.5;
};

// What concepts are learnt with on this base, where it says so: learning.json in its folder. Not part of the
// fingerprint.
struct LearningDefaults {
  // "a photo of a {}": prompts of the kind it was trained on; empty: not stated.
  std::vector<std::string> templates = {};
  // "on the beach": what a prompt may end with, to say where a thing stands.
  std::vector<std::string> places = {};
  // How it weighed timesteps in training: by sqrt(min(SNR, this) / (SNR + 1)); 0: all alike, or not stated.
  double min_snr = 0;
};

struct ModelBundle {
  // model_index.json, unet/ or transformer/, vae/, text_encoder/, tokenizer/, scheduler/, optional image_encoder/ with
  // feature_extractor/. Weights are *.safetensors in F16, BF16 or F32.
  static ModelBundle open(const std::filesystem::path& folder, const BundleOptions& options = {});

  std::filesystem::path folder;
  // Names the base: SHA-256 over the tensors and configurations of every component and the schedule it was trained
  // with. The same for any compute dtype and file layout; a delta belongs to one fingerprint.
  Digest fingerprint = {};
  torch::ScalarType compute = torch::kFloat;
  ClipTokenizer tokenizer;
  ClipTextModel text_encoder{nullptr};
  UNet2DConditionModel unet{nullptr};           // one of these two is the denoiser, the other null
  FluxTransformer2DModel transformer{nullptr};  // of flow matching
  AutoencoderKL vae{nullptr};
  ClipVisionModel image_encoder{nullptr};  // null where the folder has none
  ClipPreprocess preprocess = {};          // of image_encoder
  Json scheduler_config = {};
  GenerationDefaults defaults = {};
  LearningDefaults learning = {};
  std::vector<std::string> warnings = {};  // what the folder has and we leave out

  const torch::nn::Module& denoiser() const;
  int64_t first_placeholder_id() const { return text_encoder->config.vocab_size; }
  int64_t picture_side() const;     // the side the model was trained for, in pixels
  Digest parameter_digest() const;  // over what all modules hold now: proof that nothing wrote to the base
};

}  // namespace conceptd::diffusion
