// What cross-attention should look like where a prompt names several concepts: none forgotten, none on another's place.
//
// Sun et al., "Create Your World: Lifelong Text-to-Image Diffusion" (L2DM) have three such losses for the time of
// drawing: dynamic attend, concepts-level unmix, orthogonal attention. Their printed equations were not available to
// us; these are **our reconstruction** from what is said and drawn of them:
//
//   A     maps averaged over layers and heads, softmax(sharpness A) over the tokens but the first and last, smoothed
//   q(s)  = max_p A_s[p]
//   attend     = sum_i w_i (1 - q(c_i)) + sum_i w_i (1 - q(v_i)),  w = softmax(-q(c) / dynamics), no gradient through w
//   unmix      = sum_i sum_p Ahat_{c_i}[p] M_i[p],  Ahat = A / sum A, M_i = 1 outside of i's half
//   orthogonal = sum_ij (cos(A_{v_i}, A_{c_j}) - [i = j])^2
//
// With dynamics -> 0 and attend on the class tokens alone this is the loss of Attend-and-Excite (Chefer et al. 2023,
// arXiv 2301.13826), max_i (1 - q(c_i)). OPEN: whether the authors' losses are these.
// Legend: h, w sides of a map, n tokens, m concepts of the prompt; v_i, c_i token positions.
#pragma once
#include <vector>

#include "diffusion/torch.h"

namespace conceptd::diffusion {

struct ConceptTokens {
  int64_t identifier = 0;  // v: the first token of the placeholder
  int64_t word = 0;        // c: its last, the class word's where it has two; one and the same where it has one
};

struct AttentionLosses {
  double attend = 1, unmix = .5, orthogonal = .25;  // weights
  double dynamics = .1;                             // tau_d
  double sharpness = 100;
};

// (h, w, n) probabilities -> (h, w, n - 2): sharpened over the tokens between the first and the last, smoothed by a 3x3
// Gaussian. Map k is token k + 1's. exp(-((x / (2 sigma))^2)) with sigma .5, as Attend-and-Excite's code has it.
Tensor sharpened_maps(const Tensor& maps, double sharpness);
Tensor peaks(const Tensor& maps, const std::vector<int64_t>& tokens);  // (m) of sharpened maps: q

Tensor attend_loss(const Tensor& maps, const std::vector<ConceptTokens>& concepts, double dynamics);
Tensor unmix_loss(const Tensor& maps, const std::vector<ConceptTokens>& concepts);
Tensor orthogonal_loss(const Tensor& maps, const std::vector<ConceptTokens>& concepts);
// (m, h, w): 1 where concept i should not be. The axis along which the maps' centres lie further apart is cut into m
// equal strips, which concepts get in the order of their centres. No gradient.
Tensor unmix_masks(const Tensor& maps, const std::vector<ConceptTokens>& concepts);

// All three, weighed, of raw maps (h, w, n). Two or more concepts.
Tensor attention_loss(const Tensor& maps, const std::vector<ConceptTokens>& concepts, const AttentionLosses& losses);

}  // namespace conceptd::diffusion
