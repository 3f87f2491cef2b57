// Guidance of latents for prompts that name two or more concepts: before a step, the frozen network looks once at the
// conditional half, and the latents take a step against attention_losses.h. Weights do not change, nothing is learnt.
//
// L2DM's concept attention artist and orthogonal attention, **our reconstruction** (attention_losses.h). Steps and
// sizes as Attend-and-Excite has them: step i of T guided ones moves by step_size * sqrt(linspace(1, .5, T)[i]).
// The maps are those of the finest cross-attention with at most 16 x 16 places.
//
// Rows that are not here keep their latents bit for bit, and so does every row where step_size is 0. Costs one forward
// and backward pass of the conditional half a guided step.
// DEVIATES: Infusion's residuals act in the one stream that is looked at; its maps are not borrowed there.
#pragma once
#include <memory>

#include "diffusion/edits/edits.h"
#include "diffusion/guidance/attention_losses.h"
#include "diffusion/model_bundle.h"
#include "diffusion/prompt.h"
#include "diffusion/steering.h"

namespace conceptd::diffusion {

struct ConceptAttentionSettings {
  AttentionLosses losses = {};
  double step_size = 20;   // in the units of the latents, as the denoiser's scheduler has them
  double share = .5;       // of the steps, the first
  int64_t refine_max = 0;  // further steps at 0, 1/5 and 2/5 of the way, until every peak is .05, .5, .8
};

struct GuidedRow {
  int64_t row = 0;  // of the batch
  Tensor context = {};
  std::shared_ptr<const EditSet> edits = {};
  std::vector<ConceptTokens> concepts = {};  // two or more
};

// Where a prepared prompt's concepts stand; empty for less than two.
std::vector<ConceptTokens> concept_tokens(const PreparedPrompt& prompt);

class ConceptAttention : public Steering {
 public:
  // Asks `next` too, first. Both references outlive it.
  ConceptAttention(ModelBundle& bundle, std::vector<GuidedRow> rows, ConceptAttentionSettings settings, Steering& next);
  void before_step(Step& step) override;

  // Of each guided row now, without a step: for tests and for choosing settings. latents as the network reads them.
  std::vector<Tensor> maps(const Tensor& input, double timestep);  // (h, w, n) each
  std::vector<double> weakest() const { return weakest_; }         // peak of each row's weakest concept, when last seen

 private:
  Tensor guided(const Tensor& latents, const Step& step, double size);
  ModelBundle& bundle_;
  const std::vector<GuidedRow> rows_;
  const ConceptAttentionSettings settings_;
  Steering& next_;
  Tensor which_, contexts_;  // (g) rows of the batch; (g, n, c)
  std::vector<double> weakest_;
};

}  // namespace conceptd::diffusion
