// An MM-DiT's input with references beside the noisy picture: MUSAR's sequence.
//
// Source: MUSAR (arXiv 2505.02823), as specified in musar_and_tuning_encoder.md, A2, A3.5, A10. Where the paper is
// silent it follows OminiControl (references at time 0, the prompt's pooled text) and, for positions, UNO.
// Legend: b rows, c latent channels, h and w latent sides, k caption tokens, j width of the text states, p of the
// pooled text.
#pragma once
#include <span>

#include "diffusion/edits/routed.h"
#include "diffusion/flux_prediction.h"

namespace conceptd::diffusion {

struct Reference {
  Tensor latents;  // (c, h, w), scaled, without noise
  Tensor caption;  // (k, j): what it shows; k may be 0
  Tensor pooled;   // (p); read where ReferenceOptions::own_pooled
};

// Where a reference stands beside a canvas of hX x wX tokens, those before it taking h_j x w_j:
//   diagonal  (hX + sum h_j, wX + sum w_j): UNO's, overlaps nothing
//   down, right   one axis of it              left  (0, -w_0): OminiControl's, for one subject
//   on_canvas (0, 0)
enum class ReferencePlace { diagonal, down, right, left, on_canvas };

struct ReferenceOptions {
  ReferencePlace place = ReferencePlace::diagonal;
  bool shared_time = false;  // references have the picture's time (UNO), and not 0 (OminiControl)
  bool own_pooled =
      false;  // a reference's modulation reads its own pooled text, and not the prompt's: one subject only
};

struct ReferencedInput {
  FluxInput input;  // answered: the picture's tokens
  TokenGroups groups;
};
// latents (b, c, h, w) at `sigma`. References are the same for all rows. Error{invalid} names what does not fit.
ReferencedInput referenced_input(const FluxPrompt& prompt, const Tensor& latents, double sigma,
                                 std::span<const Reference> references, const ReferenceOptions& options = {});

// As flux_velocity(), with references. `adapt`: of the same groups.
Tensor referenced_velocity(FluxTransformer2DModel& model, const FluxPrompt& prompt, const Tensor& latents, double sigma,
                           std::span<const Reference> references, const ReferenceOptions& options, Adaptation& adapt);

}  // namespace conceptd::diffusion
