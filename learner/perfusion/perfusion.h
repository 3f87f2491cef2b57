// Perfusion: key-locked, gated rank-one edits of every cross-attention's keys and values.
//
// Tewel, Gal, Chechik, Atzmon: "Key-Locked Rank One Editing for Text-to-Image Personalization", SIGGRAPH 2023 (arXiv
// 2305.01644). The paper's text was not available to us: equations and numbers are second-hand (two independent codes,
// one reviewed by the first author).
//
//   paper      here                    shape    meaning
//   w          word                    (1, c)   learned row of the placeholder in the token table
//   i*         target_input            (c)      running mean of the text encoding at the placeholder; one for all sites
//   o*_K, o*_V keys, values            (out)    target outputs a site: keys locked to the class word, values learned
//              shared, own             (c), (out)  o*_V = W_V shared + own, so both move it
//   C          covariance              (c, c)   uncentred second moment of text encodings
//   k          key of RankOne          (c)      C^-1 i* / (i*^T C^-1 i*)
//   beta, tau  bias, temperature                of the gate sigmoid((k e - beta) / tau)
//
// DEVIATES: no weight decay (AdamW's .01 would shrink o*_V); no flips (a kettle has a side).
// DEVIATES: o*_V is learned as W_V shared + own, of which only the sum is kept: the same values can be reached, sooner,
// since what all sites must say alike is said once. shared_rate 0 learns each site's alone, as the codes do.
// DEVIATES: 800 steps of 8 for the codes' 400 of 16, and rates of .1 and .001, which come to rest over the last half of
// the steps. The codes have .03 and .006, keep them, and choose among checkpoints by eye. (A row of the embedded base's
// token table has .02 a value.)
//
// OPEN: the gradient through i* is cut, as in the code that shows samples; the other code passes it straight through.
#pragma once
#include "learner/learner.h"
#include "learner/step_settings.h"

namespace conceptd::learner {

struct PerfusionSettings : StepSettings {
  PerfusionSettings() { steps = 800, batch = 8; }
  double value_rate = .1, shared_rate = .1, word_rate = .001;          // Adam, one group each
  double bias = .75, temperature = .10;                                // beta and tau in training
  double momentum = .99;                                               // of the running mean i*
  static PerfusionSettings from_json(const nlohmann::json& settings);  // Error{invalid} names the setting
  nlohmann::json to_json() const;                                      // all but the previews
};

class PerfusionLearner : public Learner {
 public:
  Learned learn(const LearnRequest& request, LearnContext& context) override;
};

}  // namespace conceptd::learner
