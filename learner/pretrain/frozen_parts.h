// What the stages that train a denoiser share: the parts of a base folder that are done and stay as they are, and how
// their weights are published.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>

#include "diffusion/autoencoder_kl.h"
#include "diffusion/clip_text.h"
#include "learner/pretrain/caption_reading.h"
#include "learner/pretrain/flat_parameters.h"

namespace conceptd::pretrain {

struct FrozenParts {
  explicit FrozenParts(const std::filesystem::path& base);
  diffusion::ClipTextOutput read(const std::vector<std::string>& captions);     // without gradients
  void save_grid_of(const Tensor& latents, const std::filesystem::path& path);  // (b, channels, s, s), scaled; 8 a row

  CaptionCodec codec;
  diffusion::ClipTextModel text;
  diffusion::AutoencoderKL vae;
};

// How far published weights had come: a run whose own folder is gone, or is of another net, goes on from them, with its
// moments begun anew. Null where none are published.
nlohmann::json begun_at(const std::filesystem::path& published);

// Weights first, so that the note of how far they are never stands without them.
void publish_denoiser(const std::filesystem::path& published, FlatParameters& shown, const Tensor& weights,
                      const nlohmann::json& config, const nlohmann::json& progress);

// (b) in 0..1, one in each of b equal slices, in no order: the same distribution as b draws, less variance.
Tensor one_in_each_slice(int64_t b);

}  // namespace conceptd::pretrain
