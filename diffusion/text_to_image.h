// From prompts to pictures: the unrolled loop. Encode (prompt.h), draw noise, denoise with classifier-free guidance,
// decode. Rows of one run share size, sampler and steps; everything else is each row's own: prompt, concepts, seed,
// guidance. A row draws all its noise from a generator of its own, so its picture does not depend on its neighbours
// beyond the rounding of the kernels.
//
// Source: Ho and Salimans 2022 (arXiv 2207.12598) for guidance; Lin et al. 2023 (2305.08891), §3.4, for its rescaling;
// behaviour: huggingface/diffusers v0.30.3, StableDiffusionPipeline and FluxPipeline.
// Legend: b rows, u rows that are guided and so need an unconditional half, n tokens, c width, s latent sides.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "diffusion/edits/edited.h"
#include "diffusion/model_bundle.h"
#include "diffusion/schedulers/scheduler.h"
#include "diffusion/steering.h"

namespace conceptd::diffusion {

struct PictureRow {
  Tensor context = {};                        // (n, c): PreparedPrompt::context
  Tensor negative_context = {};               // (n, c): of the negative prompt, or of "". Needed where guidance > 1
  Tensor pooled = {}, negative_pooled = {};   // (c): PreparedPrompt::pooled, beside each; an MM-DiT needs them
  std::shared_ptr<const EditSet> edits = {};  // PreparedPrompt::edits; null: the frozen model
  // The edits hold for the unconditional half too (OPEN in Perfusion, A4); token residuals never do: their word is not
  // in its prompt (Infusion, B4); nor do globally locked keys, nor a soft path (tuning-encoder, R10).
  bool edit_negative = true;
  std::uint64_t seed = 0;
  // 1 or less: none, and the unconditional half is not computed. A model that was distilled to read its guidance
  // (guidance_embeds) reads it, and then there is no unconditional half at all.
  double guidance = 7.5;
  double guidance_rescale = 0;  // 0..1
  Tensor noise = {};            // (channels, s, s): start from this and not from the seed's first draw
};

struct TextToImageRequest {
  std::vector<PictureRow> rows = {};
  std::string sampler = {};  // of sampler_names(); empty: the base's own
  int64_t steps = 30;
  int64_t height = 0, width = 0;  // pixels, multiples of the autoencoder's factor; 0: the base's side
  double eta = 0;                 // of DDIM
};

inline constexpr int64_t kStepsMax = 1000, kSideMax = 2048, kRowsMax = 64;

// (b, channels, s, s) fp32, as the scheduler leaves them: scaled. Error{invalid} names the field that cannot be had;
// Error{cancelled} comes from `steering`.
Tensor denoise(ModelBundle& bundle, const TextToImageRequest& request, Steering& steering);

// Latents to pictures, row by row: (b, 3, height, width) fp32, nominally -1..1.
Tensor decode_latents(ModelBundle& bundle, const Tensor& latents);

// (b, 3, height, width) in -1..1 -> (b, height, width, 3) uint8, clamped and rounded.
Tensor to_pixels(const Tensor& pictures);

// All of it: (b, height, width, 3) uint8.
Tensor text_to_image(ModelBundle& bundle, const TextToImageRequest& request, Steering& steering);

}  // namespace conceptd::diffusion
