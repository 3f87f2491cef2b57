// The tuning-encoder: from one photo, and what the frozen denoiser makes of it at some noise, a word and low-rank
// offsets of every query, key and value layer.
//
// Source: Domain-Agnostic Tuning-Encoder (Arar et al. 2023, arXiv 2307.06925) and E4T (arXiv 2302.12228), whose texts
// were not available to us; our reconstruction from their project pages and two public re-implementations of E4T
// (musar_and_tuning_encoder.md, B3):
//   picture features  a vector a level of an image net (E4T: CLIP's class token of every second layer)
//   denoiser features a vector a level (unet_features.h), with the empty prompt
//   f = W mean(LeakyReLU(a linear layer a vector))
//   v = mean of the words + .1 E LeakyReLU(f)
//   g = LeakyReLU(W_g f), A = A0 + P_A g, B = P_B g; P_A and P_B begin at zero, so B A = 0 then            (H1)
// DEVIATES: the image net is our own, small and convolutional, and learns with the rest: the base has no image encoder,
// and the evaluator's towers judge.
//
// Legend: b rows, h side of a photo, c text width, F fused width, r rank, i and o the widths of all edited layers
// together.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "diffusion/delta.h"
#include "diffusion/model_bundle.h"

namespace conceptd::learner {
using torch::Tensor;

struct EditedSite {
  std::string path;
  int64_t in = 0, out = 0;
};
// Every to_q, to_k and to_v of the denoiser's attentions, by path. Not to_out: E4T's figure has these three (R7).
std::vector<EditedSite> edited_sites(const diffusion::DeltaBase& base);

struct EncoderConfig {
  Digest base = {};                // of the base that it was trained on
  std::vector<std::string> words;  // that a hard prompt may read: each one token
  int64_t width = 192, code = 16, rank = 4;
  static EncoderConfig from_json(const Json& config, const std::string& what);  // Error{invalid} names the field
  Json to_json() const;
};

// What is predicted, or learnt from there: for b rows, or without b for one concept.
struct Prediction {
  Tensor word;  // (b, c)
  Tensor down;  // (b, r, i), of all sites after each other
  Tensor up;    // (b, o, r)
};

// The soft path's edits at every site; the tensors are views.
diffusion::EditSet soft_edits(const Prediction& prediction, const std::vector<EditedSite>& sites);

struct TuningEncoderImpl : torch::nn::Module {
  TuningEncoderImpl(EncoderConfig config, const std::vector<EditedSite>& sites, const std::vector<int64_t>& unet_widths,
                    int64_t text_width);
  // photos (b, 3, h, h) in -1..1; levels: unet_features(); middle (c): mean of the words.
  Prediction forward(const Tensor& photos, const std::vector<Tensor>& levels, const Tensor& middle);

  EncoderConfig config;
  torch::nn::ModuleList convolutions{nullptr}, norms{nullptr}, of_picture{nullptr}, of_denoiser{nullptr};
  torch::nn::Linear fuse{nullptr}, to_word{nullptr}, to_code{nullptr}, to_down{nullptr}, to_up{nullptr};
  Tensor first_down;  // A0 (r, i)
};
TORCH_MODULE(TuningEncoder);

// The encoder of one base, ready to ask. A folder with config.json, encoder.safetensors and others.safetensors: words
// of concepts that pre-training saw, to stay away from.
struct EncoderBundle {
  // Where the encoder of a base is: "models/tiny-64-encoder" beside "models/tiny-64".
  static std::filesystem::path beside(const std::filesystem::path& base_folder);
  // Error{not_found}: there is none; Error{corrupt} names what does not add up in it; Error{conflict}: of another base.
  static EncoderBundle open(const std::filesystem::path& folder, const diffusion::ModelBundle& bundle);

  TuningEncoder encoder{nullptr};  // frozen
  std::vector<EditedSite> sites;
  Tensor words;   // (w, c): rows of the token table of config.words
  Tensor others;  // (m, c)
};

// Rows of the base's token table: (w, c). Error{invalid} on a word that is not one token.
Tensor word_rows(const diffusion::ModelBundle& bundle, const std::vector<std::string>& words);

}  // namespace conceptd::learner
