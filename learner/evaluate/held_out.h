// One held-out thing as every report photographs it, has it learnt and judges its pictures: the same photos, seeds and
// references whatever is asked about it.
// Legend: k renders, o other things, p width of the image tower.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "learner/evaluate/evaluator.h"
#include "learner/evaluate/score.h"
#include "learner/learner.h"

namespace conceptd::evaluate {

// What pictures of one thing are held against: fresh renders of it, and of seven others of the same words.
struct References {
  IdentityReferences identity;
  Tensor towers;  // (k, p)
};

struct HeldOutCase {
  HeldOutCase(int64_t index, int64_t photo_count);  // index: in world::held_out()
  learner::LearnRequest request(const nlohmann::json& settings) const;
  References references(Evaluator& judge) const;
  // Backgrounds that no photo shows: nothing is measured in a place that was learnt in.
  std::vector<int> places_beside() const;

  int64_t index;
  std::string name, word, description;  // "held-01", "mug", "striped blue and orange mug with a star"
  world::Instance instance;
  world::Random random;  // for whatever else is drawn of it
  std::vector<world::Scene> scenes, fresh;
  Tensor photos;  // (k, 3, 64, 64) in -1..1: renders of `scenes`
  std::uint64_t first_seed;
};

}  // namespace conceptd::evaluate
