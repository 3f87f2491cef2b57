// The adaptation that interprets edits, for a batch whose rows may each have concepts of their own (decision 3).
//
// The frozen layer runs once for the whole batch; rows that share an EditSet are edited together. A row without edits,
// and a layer without edits, keep the frozen answer bit for bit (decision 4): the paper's operator is not the identity
// when its gate is closed (perfusion_and_infusion.md, A9.1), so this is a bypass and not a limit.
//
// Rows whose set has a hard path attend twice; the other rows' answer is that of a batch in which nobody does.
// Source: Domain-Agnostic Tuning-Encoder (arXiv 2307.06925), as specified in musar_and_tuning_encoder.md, B3.3.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "diffusion/adaptation.h"
#include "diffusion/edits/apply_edits.h"

namespace conceptd::diffusion {

class Edited : public Adaptation {
 public:
  using Rows = std::vector<std::shared_ptr<const EditSet>>;  // one a batch row; null: the frozen model

  explicit Edited(Rows rows);
  Tensor linear(AdaptedLinearImpl& base, const Tensor& x) override;  // x (b, …, in), b as many as rows
  Tensor attend(AttentionImpl& attention, const Tensor& x, const Tensor& context) override;

  // Decision 2: says that these tensors will not change until the next begin_prompt(). What a layer yields for one of
  // them (by identity) is computed once and then returned again: cross-attention's keys and values, for all steps.
  // Only where gradients are off; an empty list ends it.
  void begin_prompt(std::vector<Tensor> constant_contexts);

 private:
  struct Group {  // rows with one EditSet
    std::shared_ptr<const EditSet> edits;
    Tensor rows;  // int64 indices; undefined: all rows
  };
  struct SharedGates {  // of the last x: every site of one concept set asks for the same
    Tensor x;
    bool with_grad = false;
    std::vector<RankOne> edits;
    Gates gates;
  };

  struct HardRows;  // the rows with a hard path, and what they read there
  static std::shared_ptr<HardRows> hard_rows(const Rows& rows);

  Tensor edited(std::size_t group, const SiteEdits& edits, AdaptedLinearImpl& base, const Tensor& x, const Tensor& rows,
                const Tensor& y);
  const Gates& gates(std::size_t group, const std::vector<RankOne>& edits, const Tensor& x, const Tensor& rows);
  bool is_constant(const Tensor& x) const;

  std::size_t batch_;
  std::vector<Group> groups_;
  std::vector<SharedGates> shared_;  // one a group
  std::shared_ptr<HardRows> hard_;   // null: none
  std::vector<Tensor> constant_;
  std::map<std::pair<const AdaptedLinearImpl*, const void*>, Tensor> answers_;
};

// The same rows without their token residuals that keep the maps. Rows that shared a set share one still; a row of
// which nothing is left is null.
Edited::Rows of_frozen_stream(const Edited::Rows& rows);
// The same rows for another prompt: without token residuals and key contexts, which belong to one prompt alone.
Edited::Rows for_another_prompt(const Edited::Rows& rows);
// The same rows as their hard path, or an unconditional half, has them: without soft edits and key contexts, attending
// once.
Edited::Rows without_soft_path(const Edited::Rows& rows);

}  // namespace conceptd::diffusion
