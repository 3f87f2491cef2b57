// Several concepts that each changed whole layers, as one change: Custom Diffusion's closed-form merge. Added up, their
// differences would each speak at the other's tokens too; merged, the layer yields at every concept's own tokens what
// that concept's layer yields there, and else stays as near to the frozen one as it can.
//
// Kumari et al. 2023 (arXiv 2212.04488), section 3.2; behaviour: adobe-research/custom-diffusion, composenW.py:
//   min_W |(W - W0) C_reg'|_F  subject to  W C' = V
//   W - W0 = (V - W0 C')(d C')^-1 d,  d = C (C_reg' C_reg)^-1
// C_reg' C_reg is, but for a factor that cancels, the base's second moment of text encodings (token_covariance.h).
// Legend: m target rows in all, c context width, out what the layer yields.
#pragma once
#include <memory>
#include <span>

#include "diffusion/edits/edits.h"

namespace conceptd::diffusion {

// differences (out, c) and targets (m_i, c), one each a concept; covariance (c, c) -> (out, c) fp32. Target rows that
// say the same twice are no fault.
Tensor merged_difference(std::span<const Tensor> differences, std::span<const Tensor> targets,
                         const Tensor& covariance);

// Has it LowRank edits that are whole differences?
bool has_whole_differences(const EditSet& set);

// Like add_edits() of them all, but that whole differences at one site become the merged one. targets: one a set, of
// its placeholder's tokens; what a set without whole differences has here is not looked at. Those with some have one
// at each of the same sites, as deltas of one base do.
EditSet merge_edits(std::span<const std::shared_ptr<const EditSet>> sets, std::span<const Tensor> targets,
                    const Tensor& covariance);

}  // namespace conceptd::diffusion
