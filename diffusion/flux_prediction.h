// One MM-DiT as the unrolled loop asks it: latents in, velocity out, with text that stays for all steps.
// Behaviour: huggingface/diffusers v0.30.3, FluxPipeline. Legend: b rows, n tokens, j width of the text states, p width
// of the pooled text, c latent channels, h and w latent sides.
#pragma once
#include "diffusion/flux_transformer.h"

namespace conceptd::diffusion {

struct FluxPrompt {
  Tensor text;           // (b, n, j)
  Tensor pooled;         // (b, p)
  Tensor guidance = {};  // (b); read where the model has guidance_embeds
};

// latents (b, c, h, w), sigma in 0..1 for all rows -> (b, c, h, w).
Tensor flux_velocity(FluxTransformer2DModel& model, const FluxPrompt& prompt, const Tensor& latents, double sigma,
                     Adaptation& adapt);

}  // namespace conceptd::diffusion
