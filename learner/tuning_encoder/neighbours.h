// Real words near a predicted one: what the hard prompt reads, and the loss that keeps predictions near real words and
// away from each other.
//
// Source: Domain-Agnostic Tuning-Encoder (Arar et al. 2023, arXiv 2307.06925). Its text was not available to us: that
// neighbours attract and other concepts repel is the project page's, the equations are our reconstruction
// (musar_and_tuning_encoder.md, B3.4):
//   s(a, b) = cos(a, b)
//   pos_b = sum over the k words nearest to v_b of exp(s(v_b, word) / tau)
//   neg_b = sum over all others of exp(s(v_b, other) / tau)
//   L_c = mean over b of -log(pos_b / (pos_b + neg_b))          L_2 = mean over b of |v_b|^2
// OPEN: the equation, k, tau and the weights of both.
// Legend: b rows, c text width, w words, m other concepts.
#pragma once
#include "diffusion/torch.h"

namespace conceptd::learner {
using torch::Tensor;

inline constexpr double kNeighbourTemperature = .1;
inline constexpr int64_t kLossNeighbours = 5;

// words (w, c), v (b, c) -> (b, k) int64, nearest first; of equally near ones the first. No gradient.
Tensor nearest_words(const Tensor& v, const Tensor& words, int64_t k);

// L_c; `near` (b, k) int64 into words; others (m, c), more concepts to stay away from, beside the rows of v; may be
// undefined. No gradient reaches words or others.
Tensor neighbour_loss(const Tensor& v, const Tensor& words, const Tensor& near, const Tensor& others = {});

// L_2: a cosine ignores length.
inline Tensor length_loss(const Tensor& v) { return v.pow(2).sum(-1).mean(); }

}  // namespace conceptd::learner
