#include "learner/l2dm/rainbow.h"

#include <algorithm>
#include <limits>

namespace conceptd::learner {

std::vector<Tensor> dissimilarity(std::span<const RainbowTask> tasks) {
  const torch::NoGradGuard no_grad;
  std::vector<Tensor> all, out;
  for (const auto& task : tasks) all.push_back(task.candidates.to(torch::kDouble));
  if (all.empty()) return out;
  const auto mean = torch::cat(all).mean(0);
  for (const auto& features : all) out.push_back(1 - torch::mv(features, mean));
  return out;
}

std::vector<std::vector<int64_t>> rainbow_selection(std::span<const RainbowTask> tasks, double likeness, bool twice) {
  const torch::NoGradGuard no_grad;
  const auto diverse = dissimilarity(tasks);
  std::vector<std::vector<int64_t>> chosen(tasks.size());
  for (std::size_t l = 0; l < tasks.size(); ++l) {
    const auto fits = torch::matmul(tasks[l].real.to(torch::kDouble), tasks[l].candidates.to(torch::kDouble).t());
    auto left = torch::zeros_like(diverse[l]);
    const auto n = diverse[l].size(0);
    for (int64_t i = 0; i < fits.size(0) && (twice || i < n); ++i) {
      const auto score = (diverse[l] + likeness * fits[i] + left).contiguous();
      const auto* values = score.data_ptr<double>();
      const auto best = std::max_element(values, values + n) - values;  // the first of equals
      chosen[l].push_back(best);
      if (!twice) left[best] = -std::numeric_limits<double>::infinity();
    }
  }
  return chosen;
}

}  // namespace conceptd::learner
