// From a prompt and references to a picture: the unrolled loop of text_to_image.h for one picture, with subjects beside
// it in every pass.
//
// Source: MUSAR (arXiv 2505.02823), as specified in musar_and_tuning_encoder.md, A5; our reconstruction. References are
// not cached over steps: they see the picture, so they change with it.
// OPEN: what the unconditional half sees where the model reads no guidance. Here: the same references, another prompt.
#pragma once
#include "diffusion/model_bundle.h"
#include "diffusion/reference_input.h"
#include "diffusion/steering.h"

namespace conceptd::diffusion {

struct ReferencedRequest {
  Tensor context = {}, pooled = {};                    // of PreparedPrompt
  Tensor negative_context = {}, negative_pooled = {};  // needed where guidance is above 1 and the model reads none
  std::vector<Reference> references = {};
  ReferenceOptions options = {};
  Routing routing = {};                                      // its grid is filled in here
  Routed::Edits picture_branch = {}, reference_branch = {};  // null: none
  int64_t steps = 28, height = 0, width = 0;                 // pixels; 0: the base's side
  double guidance = 3.5;
  std::uint64_t seed = 0;
};

// (1, channels, h, w) fp32, scaled: decode_latents() makes the picture. Error{invalid} names the field that cannot be
// had; Error{cancelled} comes from `steering`.
Tensor denoise_with_references(ModelBundle& bundle, const ReferencedRequest& request, Steering& steering);

}  // namespace conceptd::diffusion
