// The adaptation for several subjects in one picture: it answers who attends to whom by token groups, and which
// low-rank branch a token gets by the same groups.
//
// Source: MUSAR (arXiv 2505.02823), as specified in musar_and_tuning_encoder.md, A3.2-A4; second-hand or our own
// instantiation, as token_groups.h and token_gate.h say. Dual-branch LoRA (A3.3):
//   y[t] = W x[t] + b + 1[t in X] s_n B_n A_n x[t] + 1[t in V] s_s B_s A_s x[t]
// Text tokens keep the frozen answer. OPEN (A9-Q6): whether captions T_i get the subjects' branch; here they do not.
//
// Modulations (FluxInput): the four of Modulation below, so that a block's modulating layer has branches too.
#pragma once
#include <map>
#include <memory>

#include "diffusion/edits/edits.h"
#include "diffusion/edits/token_gate.h"

namespace conceptd::diffusion {

enum Modulation : int64_t { kOfPrompt, kOfPicture, kOfCaptions, kOfReferences, kModulations };

class Routed : public Adaptation {
 public:
  using Edits = std::shared_ptr<const EditSet>;  // null: none
  // Error{invalid} where the routing does not fit the groups, or an edit is not low-rank or at a text site.
  Routed(TokenGroups groups, Routing routing, Edits picture = nullptr, Edits references = nullptr);

  void begin_step(int64_t index, int64_t steps);  // before each pass: what was shared is forgotten

  Tensor linear(AdaptedLinearImpl& base, const Tensor& x) override;
  void route(const Site& site, Attend& attend) override;

  const std::map<std::string, Tensor>& owners() const { return owners_; }  // of the last pass, by site: (b, n)

 private:
  Ownership ownership_at(const std::string& site, const Attend& attend);

  const TokenGroups groups_;
  const Routing routing_;
  const Edits picture_, references_;
  const std::vector<AttendPart> static_parts_;
  bool gated_ = true;
  Tensor shared_;  // owners, once the shared block has been passed
  std::map<std::string, Tensor> owners_;
};

}  // namespace conceptd::diffusion
