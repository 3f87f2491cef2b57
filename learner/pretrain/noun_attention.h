// Nouns that look at their things. Left alone, a base this small hangs what a caption says on whatever tokens are at
// hand, mostly the end token, and its noun gets a twentieth of the attention: no edit at one token can then say much,
// and no map of a token means anything. Large models' nouns look at their things; in training this base's are made to.
//
// Wang et al. 2023, "TokenCompose: Grounding Diffusion with Token-level Supervision" (arXiv 2312.03626), eq. 3-5: the
// cross-attention map of a noun against its segmentation. Ours is the pixel term alone, with half of the attention as
// the target where the thing stands, so that adjectives and places keep their share.
//
// Legend: b rows, k things a row (2), n text tokens, s side of the masks, h heads, l image tokens.
#pragma once
#include "diffusion/adaptation.h"
#include "learner/world/world.h"

namespace conceptd::pretrain {
using torch::Tensor;

struct Nouns {
  Tensor tokens;  // (b, k, n) fp32: 1 where the noun of a thing stands; all 0 for a missing thing or caption
  Tensor masks;   // (b, k, s, s) fp32 in 0..1: where the thing stands
};
// captions: words of one token each, things in the scene's order, or "".
Nouns find_nouns(const std::vector<std::string>& captions, std::span<const world::Scene> scenes);

// Watches one forward pass, in which cross-attention's keys are made of `keys` (b, n, c), where there are some, and all
// else is as ever.
class NounAttention : public diffusion::Adaptation {
 public:
  explicit NounAttention(Nouns nouns, Tensor keys = {}) : nouns_(std::move(nouns)), keys_(std::move(keys)) {}
  Tensor linear(diffusion::AdaptedLinearImpl& base, const Tensor& x) override;
  void route(const diffusion::Site& site, diffusion::Attend& attend) override;
  Tensor loss() const;   // scalar: mean cross-entropy over the cross-attention sites
  double share() const;  // of a thing's place, the mean attention its noun has: 0..1

 private:
  Nouns nouns_;
  Tensor keys_;
  std::vector<Tensor> losses_;
  std::vector<double> shares_;
};

}  // namespace conceptd::pretrain
