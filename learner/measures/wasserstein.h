// 2-Wasserstein distance between two sets of features: has a method kept the spread of what the base draws?
//
// Infusion (Zeng et al. 2024, arXiv 2404.14007) names the measure; its estimator was not available to us, so these are
// ours (perfusion_and_infusion.md, B-5):
//   P  pictures of the concept in some prompts          Q  the base's of the class word, same prompts and seeds
//   empirical   W² = (1/n) Σ ‖φ(x_i) − φ(y_π(i))‖² over the cheapest pairing π
//   Gaussian    W² = ‖μ − ν‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁^½ Σ₂ Σ₁^½)^½)          (Gelbrich 1990)
// The Gaussian one of the same points is never larger. With few pictures the empirical one is large even where P = Q,
// so it is held against what two halves of the base's own pictures give, and only at equal n. State φ and n with it,
// and hold it against identity: who learns nothing is close to the base. Legend: n pictures, d width of a feature. All
// arithmetic is in fp64.
#pragma once
#include <cstdint>

#include "diffusion/torch.h"

namespace conceptd::learner {
using torch::Tensor;

// Two sets (n, d), n up to kAssignmentMax: W, not its square. Error{invalid} where the sets are not alike in shape, or
// not finite.
double empirical_wasserstein(const Tensor& x, const Tensor& y);

struct Gaussian {
  Tensor mean, covariance;  // (d), (d, d) fp64
};
// Moments of a set (n, d), the covariance divided by n. shrinkage (0..1) moves it towards its mean variance times the
// identity (Ledoit and Wolf 2004, with the weight given). Error{invalid} where n is not above d and nothing is shrunk:
// such a covariance is flat.
Gaussian gaussian_of(const Tensor& features, double shrinkage = 0);
double gaussian_wasserstein(const Gaussian& a, const Gaussian& b);

struct SplitHalf {
  double mean = 0, deviation = 0;  // of the empirical distance, over the splits
  int64_t n = 0;                   // pictures in a half: it holds for comparisons of so many
};
// Between random halves of one set (2n or 2n + 1, d).
SplitHalf split_half_wasserstein(const Tensor& features, int64_t splits, std::uint64_t seed);

}  // namespace conceptd::learner
