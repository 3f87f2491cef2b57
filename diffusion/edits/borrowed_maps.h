// Infusion's seam: customised rows look where the frozen model looks, and see something else there.
//
// Source: Infusion (Zeng et al. 2024, arXiv 2404.14007), as specified in perfusion_and_infusion.md, B2 and B3; the
// paper's own text was not available to us.
//   F  frozen stream     the same rows without the residuals: same prompt, same latents, same time
//   C  customised stream
//   A = softmax(Q_F K_F^T / sqrt(d))          of F, at every cross-attention
//   out_F = A V          out_C = A (V + r at the word's tokens)                        (B-1), (B-2)
// Self-attention, convolutions and all else are each stream's own.
//
// F runs first, alone and without gradients, and lends its queries and keys; then all rows of the batch run as they
// would without Infusion (decision 19). So rows that borrow nothing are computed as if nobody borrowed, and a batch in
// which nobody borrows runs once. Legend: b rows, t of them borrow.
#pragma once
#include "diffusion/edits/edited.h"
#include "diffusion/unet_2d_condition.h"

namespace conceptd::diffusion {

bool is_cross_attention(const Site& site);

// Of every cross-attention, by its site: what it was going to compare.
struct LentMap {
  Tensor query, key;  // (t, h, l, d), (t, h, n, d)
};
using LentMaps = std::map<std::string, LentMap>;

// The frozen stream: keeps what its cross-attentions compare.
class LendingMaps : public Edited {
 public:
  using Edited::Edited;
  void route(const Site& site, Attend& attend) override;
  LentMaps lent;
};

// The customised stream: the rows `borrowers` (t) int64 compare what was lent. Undefined: all rows. A map is given
// back with its use.
class BorrowedMaps : public Edited {
 public:
  BorrowedMaps(Rows rows, Tensor borrowers) : Edited(std::move(rows)), borrowers_(std::move(borrowers)) {}
  void route(const Site& site, Attend& attend) override;
  LentMaps lent;  // empty: nobody borrows

 private:
  const Tensor borrowers_;
};

// Both of them for one batch.
class DualStream {
 public:
  explicit DualStream(Edited::Rows rows);

  // See Edited::begin_prompt(): what run() gets as its context stays this tensor.
  void begin_prompt(const Tensor& context);
  // As UNet2DConditionModel::forward(), of the customised stream. Gradients reach its edits alone.
  Tensor run(UNet2DConditionModel& unet, const Tensor& sample, const Tensor& timesteps, const Tensor& context);

 private:
  Tensor of_borrowers(const Tensor& x) const { return borrowers_.defined() ? x.index_select(0, borrowers_) : x; }

  std::vector<int64_t> which_;
  Tensor borrowers_;  // undefined: all rows, or none
  LendingMaps frozen_;
  BorrowedMaps customised_;
  Tensor context_, frozen_context_;  // of begin_prompt()
};

}  // namespace conceptd::diffusion
