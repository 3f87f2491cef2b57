// The judge's text and image towers in the CLIP layout (Radford et al. 2021), as they are trained: on renders of other
// seeds than the base, with words of their own. learner/gate/judge.h reads what comes of it.
#pragma once
#include <string>
#include <vector>

#include "diffusion/clip_text.h"
#include "diffusion/clip_vision.h"
#include "learner/pretrain/caption_reading.h"

namespace conceptd::pretrain {
using torch::Tensor;

struct Towers {
  explicit Towers(const std::string& vocab_json);
  Tensor of_pictures(const Tensor& pictures);                    // (b, 3, 64, 64) in -1..1 -> (b, p), unit length
  Tensor of_captions(const std::vector<std::string>& captions);  // -> (b, p), unit length

  CaptionCodec codec;
  diffusion::ClipTextModel text{nullptr};
  diffusion::ClipVisionModel image{nullptr};
};

}  // namespace conceptd::pretrain
