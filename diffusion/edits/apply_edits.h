// One interpreter for each kind of edit: a free function over a span of that kind, for all rows of x alike.
//
// Source: Perfusion (Tewel et al. 2023, arXiv 2305.01644, eq. 3 and 4), as specified in perfusion_and_infusion.md,
// A2-A4:
//   E text encoding, one row a token     x (b, n, c)
//   W the frozen layer                   weight (out, c)
//   s_j = k_j·e                          Gates::similarity (b, n, j)
//   g_j = sigmoid((s_j - β_j) / τ_j)     Gates::gate (b, n, j)
//   e⊥ = e - Σ a_j i*_j                  Gates::coordinates holds a (b, n, j): the projection on span{i*} in the metric
//   C⁻¹
// Infusion (arXiv 2404.14007), same document, B-2. Legend: b batch, n tokens, c width read, out width yielded, j
// concepts.
#pragma once
#include <span>

#include "diffusion/edits/edits.h"

namespace conceptd::diffusion {

// The parts of the rank-one edit that no layer enters: one computation serves every site that reads the same x.
// fp32 whatever x is.
struct Gates {
  Tensor similarity, coordinates, gate;  // (b, n, j) each
};

// Error{conflict} where the concepts' inputs are linearly dependent (the same concept twice): their exact projector
// does not exist.
Gates rank_one_gates(std::span<const RankOne> edits, const Tensor& x);

// y = x Wᵀ (+ bias) -> what the edited layer yields, eq. in the form.
Tensor apply_edits(std::span<const RankOne> edits, const Gates& gates, const Tensor& weight, const Tensor& y);
Tensor apply_edits(std::span<const RankOne> edits, const Tensor& weight, const Tensor& x, const Tensor& y);

Tensor apply_edits(std::span<const TokenResidual> edits, const Tensor& y);
Tensor apply_edits(std::span<const LowRank> edits, const Tensor& x, const Tensor& y);

}  // namespace conceptd::diffusion
