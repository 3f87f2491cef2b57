// Scores of pictures against what is true, or against what a caption says. Shares in 0..1; a share of nothing is 0 of
// 0.
#pragma once
#include <nlohmann/json.hpp>
#include <vector>

#include "learner/evaluate/attribute_net.h"

namespace conceptd::evaluate {

struct Share {
  int64_t right = 0, asked = 0;
  void count(bool is_right) { right += is_right, ++asked; }
  Share& operator+=(const Share& more) { return right += more.right, asked += more.asked, *this; }
  double value() const { return asked ? static_cast<double>(right) / static_cast<double>(asked) : 0; }
};

// What the net sees, class by class: the argmax of every answer.
struct Seen {
  int64_t place[2][kQuestions];
  int64_t background;
  std::array<float, 6> colours;  // RGB of the first place's first and second colour, 0..1
};
std::vector<Seen> look(AttributeNet& net, const Tensor& pictures);

// Mean over the truth's attributes that a picture of one thing shows: shape, both colours, pattern, badge.
struct IdentityScore {
  Share attribute[kQuestions];
  double embedding = 0;            // sum over pictures of the mean cosine to renders of the instance
  Share found;                     // pictures nearer to renders of the instance than to those of any other thing
  double colour_distance[2] = {};  // sums of Euclidean distances in RGB, 0..1 each, of first and second colour
  double colour_error = 0;         // sum over pictures, by colour_error.h
  int64_t pictures = 0;
  IdentityScore& operator+=(const IdentityScore& more);
  double by_truth() const;  // mean of the shares
  nlohmann::json to_json() const;
};
// Identity embeddings of real renders: of the instance, and of `o` other things of the same words. Chance is 1/(o+1).
struct IdentityReferences {
  Tensor own;     // (k, 64)
  Tensor others;  // (o, k, 64)
};
void add_identity(IdentityScore& score, AttributeNet& net, const Tensor& pictures, const world::Instance& instance,
                  const IdentityReferences& references);

extern const char* const kQuestionNames[kQuestions];

}  // namespace conceptd::evaluate
