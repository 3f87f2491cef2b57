#include "learner/measures/diversity.h"

#include <limits>

namespace conceptd::learner {

double diversity(const Tensor& features, int64_t seeds) {
  if (seeds < 2) return std::numeric_limits<double>::quiet_NaN();
  const auto each = features.to(torch::kDouble).view({-1, seeds, features.size(1)});
  const auto pairs = static_cast<double>(each.size(0) * seeds * (seeds - 1));
  const auto cosines = torch::bmm(each, each.transpose(1, 2));
  return 1 - (cosines.sum() - cosines.diagonal(0, 1, 2).sum()).item<double>() / pairs;
}

}  // namespace conceptd::learner
