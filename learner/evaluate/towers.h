// The evaluator's text and image towers in the CLIP layout (Radford et al. 2021): how well a picture fits a caption,
// and how much two pictures are alike, as cosines. Trained on renders of other seeds than the base, with words of their
// own.
#pragma once
#include <filesystem>

#include "diffusion/clip_text.h"
#include "diffusion/clip_vision.h"
#include "learner/pretrain/caption_reading.h"

namespace conceptd::evaluate {
using torch::Tensor;

struct Towers {
  explicit Towers(const std::string& vocab_json);
  // folder: tokenizer/vocab.json, text_encoder/, image_encoder/. Error{corrupt} where a tensor is missing or unknown.
  static Towers open(const std::filesystem::path& folder);
  Tensor of_pictures(const Tensor& pictures);                    // (b, 3, 64, 64) in -1..1 -> (b, p), unit length
  Tensor of_captions(const std::vector<std::string>& captions);  // -> (b, p), unit length
  // The mean cosine of each picture with its caption.
  double fit(const Tensor& pictures, const std::vector<std::string>& captions);

  pretrain::CaptionCodec codec;
  diffusion::ClipTextModel text{nullptr};
  diffusion::ClipVisionModel image{nullptr};
};

}  // namespace conceptd::evaluate
