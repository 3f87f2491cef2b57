// Latents as an MM-DiT reads them: each 2x2 patch is a token, row by row. Behaviour: huggingface/diffusers v0.30.3,
// FluxPipeline. Legend: b batch, c latent channels, h and w latent sides, both even.
#pragma once
#include "diffusion/torch.h"

namespace conceptd::diffusion {
using torch::Tensor;

Tensor pack_latents(const Tensor& latents);                                  // (b, c, h, w) -> (b, h/2 * w/2, 4c)
Tensor unpack_latents(const Tensor& packed, int64_t height, int64_t width);  // back; height and width of the latents
// (h/2 * w/2, 3): 0, row, column, in tokens; the first token stands at (dy, dx).
Tensor patch_ids(int64_t height, int64_t width, int64_t dy = 0, int64_t dx = 0);

}  // namespace conceptd::diffusion
