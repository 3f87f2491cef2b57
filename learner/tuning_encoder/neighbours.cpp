#include "learner/tuning_encoder/neighbours.h"

#include <limits>

namespace conceptd::learner {

namespace {
Tensor unit(const Tensor& rows) { return torch::nn::functional::normalize(rows); }
}  // namespace

Tensor nearest_words(const Tensor& v, const Tensor& words, int64_t k) {
  const torch::NoGradGuard no_grad;
  const auto cosines = torch::matmul(unit(v), unit(words).t());  // (b, w)
  return std::get<1>(cosines.sort(/*stable=*/true, -1, /*descending=*/true)).slice(1, 0, k);
}

Tensor neighbour_loss(const Tensor& v, const Tensor& words, const Tensor& near, const Tensor& others) {
  const auto b = v.size(0);
  const auto mine = unit(v);
  const auto to_words = torch::matmul(mine, unit(words.detach()).t()) / kNeighbourTemperature;
  auto among = torch::matmul(mine, mine.t()) / kNeighbourTemperature;
  among = among.masked_fill(torch::eye(b, torch::kBool), -std::numeric_limits<float>::infinity());
  auto all = torch::cat({to_words.gather(1, near), among}, 1);  // (b, k + b)
  if (others.defined())
    all = torch::cat({all, torch::matmul(mine, unit(others.detach()).t()) / kNeighbourTemperature}, 1);
  return (all.logsumexp(1) - all.slice(1, 0, near.size(1)).logsumexp(1)).mean();
}

}  // namespace conceptd::learner
