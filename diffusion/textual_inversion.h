// Textual-inversion files, as diffusers ({token: (c) or (k, c)}) and AUTOMATIC1111 ({"emb_params": (k, c)}) write them.
#pragma once
#include <string>
#include <vector>

#include "diffusion/safetensors.h"

namespace conceptd::diffusion {

struct TextualInversion {
  std::string token;  // empty where the file does not say: the one who asks names it
  Tensor rows;        // (k, c) fp32
};

// Error{corrupt} names the tensor if there is one that is not an embedding of `width`.
std::vector<TextualInversion> read_textual_inversions(const SafetensorsFile& file, int64_t width);

}  // namespace conceptd::diffusion
