// Which subject owns each token of the picture, asked of one attention layer: MUSAR's dynamic routing.
//
// Source: the paper's abstract says no more than that correspondence is adaptive and one-to-one; all that is here is
// our instantiation, musar_and_tuning_encoder.md, A4. OPEN: the formula, its scope, and what an unowned subject does.
//   S[p, k] = q_p · k_k / sqrt(d)                                    p in X, k in V_i, a head each
//   R[p, i] = mean over heads of (logsumexp over V_i of S - log|V_i|)
//   g[p]    = argmax_i R[p, i]
// Legend: b batch, n tokens of X on a grid of height x width, c subjects, h heads, d head width.
#pragma once
#include "diffusion/edits/token_groups.h"

namespace conceptd::diffusion {

enum class GateScore {
  lse_mean_heads,  // R above: a larger reference gets no head start
  attention_mass,  // share of the softmax row that falls on V_i, mean over heads
  max_logit,       // the largest S over V_i, mean over heads
  caption,         // R over T_i in the place of V_i
};
enum class GateScope { per_layer, shared };  // shared: one block's answer, for the later blocks of a step
enum class GateCells {
  argmax,
  balanced,
  background
};                                               // background: the prompt competes, and what it wins has no owner
enum class GateSource { model, halves, given };  // halves: left is subject 0, right is 1, of a diptych
enum class EmptyCell { open, strict };  // a subject that owns nothing: it sees and is seen as under the static mask

struct Routing {
  bool masks = true;    // the static mask; false: everybody sees everybody, and nobody is owned
  bool dynamic = true;  // ownership on top of it
  GateScore score = GateScore::lse_mean_heads;
  GateScope scope = GateScope::per_layer;
  GateCells cells = GateCells::argmax;
  GateSource source = GateSource::model;
  EmptyCell empty = EmptyCell::open;
  double ungated = 0;             // share of the steps, from the noisiest, that stay static: 0..1
  std::string shared_site = {};   // of GateScope::shared: "transformer_blocks.1.attn"
  int64_t height = 0, width = 0;  // of X's grid, in tokens
  Tensor given = {};              // of GateSource::given: (b, n) int64, -1: none
};
// Error{invalid} names what does not fit together, or not these groups.
void check_routing(const Routing& routing, const TokenGroups& groups);

// (b, n, c), or (b, n, c + 1) under GateCells::background, the last being the prompt's.
Tensor gate_scores(const Attend& attend, const TokenGroups& groups, const Routing& routing);
// scores -> owners (b, n) int64. Ties go to the lowest subject; no gradient passes.
Tensor owners_of(const Tensor& scores, const Routing& routing);
Tensor owners_by_halves(int64_t rows, const Routing& routing);  // (rows, n)

}  // namespace conceptd::diffusion
