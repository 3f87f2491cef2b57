// How good a version is: what it draws, measured beside what the base draws without it, for whoever asks. The gate
// decides by some of the same measures, of a fixed set; here the prompts are the asker's and the noise is measured too.
// Legend: k photos, t prompts, n seeds of each.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "diffusion/delta.h"
#include "diffusion/model_bundle.h"
#include "learner/gate/judge.h"

namespace conceptd::learner {

struct EvaluationOrder {
  const diffusion::Delta& delta;
  Tensor photos = {};                // (k, 3, height, width) in -1..1; undefined: it was learnt elsewhere
  std::vector<std::string> prompts;  // t of them, each with one {}
  int64_t seeds = 4;                 // n
  std::string words = {};            // the thing described, as one more way to ask for it; empty: none
  std::function<void(double done)> before_step = {};  // 0..1; throws Error{cancelled} to stop
};

// Means over the t n pictures of one way. Not a number: it cannot be said of this one.
struct EvaluatedWay {
  std::string way;           // "concept", "class word", "class word, other seeds", "words"
  double likeness = 0;       // cosine to the photos
  double fit = 0;            // cosine to the prompt, with the class word where the concept stood
  double diversity = 0;      // measures/diversity.h
  double copy_distance = 0;  // measures/copy_distance.h
  double wasserstein = 0;    // to the pictures of the class word; of its other seeds: the floor of this measure
};

struct Evaluation {
  std::vector<EvaluatedWay> ways;
  Tensor sheet;  // (3, rows, columns) in -1..1: a row of t first pictures for each way but the other seeds
};

// The same pictures and numbers each time on one machine.
Evaluation evaluate(diffusion::ModelBundle& bundle, Judge& judge, const EvaluationOrder& order);

// The latent Fisher divergence of the delta on the order's prompts with the class word: what it would move if it were
// in force where it is not named, from which the bypass keeps it. bundle: open in fp32, else Error{invalid}.
double unnamed_divergence(diffusion::ModelBundle& bundle, const EvaluationOrder& order);

}  // namespace conceptd::learner
