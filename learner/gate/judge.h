// What reads pictures and captions for the gate: the two towers of a CLIP in the transformers layout (Radford et al.
// 2021). Nothing is learnt with it, so what it says of a picture is no echo of the loss.
// Legend: b pictures or captions, p projection width.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "diffusion/clip_text.h"
#include "diffusion/clip_tokenizer.h"
#include "diffusion/clip_vision.h"

namespace conceptd::learner {
using torch::Tensor;

struct Judge {
  // text_encoder/ and image_encoder/ with projections of one width, tokenizer/, feature_extractor/. Error{not_found}
  // where the folder is not there, Error{corrupt} where something in it does not fit.
  static Judge open(const std::filesystem::path& folder);
  Tensor of_pictures(const Tensor& pictures);  // (b, 3, height, width) in -1..1, of any size -> (b, p), unit length
  Tensor of_captions(const std::vector<std::string>& captions);  // -> (b, p), unit length; what is too long is cut
  // Mean cosine of each row of what of_pictures() gave with its caption.
  double fit(const Tensor& seen, const std::vector<std::string>& captions);

  diffusion::ClipTokenizer tokenizer;
  diffusion::ClipTextModel text{nullptr};
  diffusion::ClipVisionModel image{nullptr};
  diffusion::ClipPreprocess preprocess = {};
};

}  // namespace conceptd::learner
