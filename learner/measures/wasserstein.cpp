#include "learner/measures/wasserstein.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "learner/measures/assignment.h"

namespace conceptd::learner {

namespace {
Tensor checked(const Tensor& features) {
  if (features.dim() != 2 || features.numel() == 0)
    throw Error(Code::invalid, "features are a row a picture: (n, d)", "features");
  auto exact = features.detach().to(torch::kDouble).contiguous();
  if (!exact.isfinite().all().item<bool>()) throw Error(Code::invalid, "a feature is not finite", "features");
  return exact;
}

double root(double square) { return std::sqrt(std::max(square, 0.)); }  // rounding may leave a little below zero

Tensor root_of(const Tensor& symmetric) {
  const auto [values, vectors] = torch::linalg_eigh(symmetric);
  return torch::matmul(vectors * values.clamp_min(0).sqrt(), vectors.t());
}
}  // namespace

double empirical_wasserstein(const Tensor& x, const Tensor& y) {
  const auto a = checked(x), b = checked(y);
  if (a.sizes() != b.sizes()) throw Error(Code::invalid, "both sets need as many features, as wide", "features");
  constexpr int64_t kByDifferences = 2;  // and not by products, which would leave equal points a distance
  const auto cost = torch::cdist(a, b, 2., kByDifferences).pow(2).contiguous();
  const auto n = static_cast<std::size_t>(a.size(0));
  const std::span<const double> costs(cost.data_ptr<double>(), n * n);
  const auto column_of = cheapest_assignment(costs, n);
  double sum = 0;
  for (std::size_t row = 0; row < n; ++row) sum += costs[row * n + column_of[row]];
  return root(sum / static_cast<double>(n));
}

Gaussian gaussian_of(const Tensor& features, double shrinkage) {
  const auto exact = checked(features);
  const auto n = exact.size(0), d = exact.size(1);
  if (!(shrinkage >= 0 && shrinkage <= 1)) throw Error(Code::invalid, "shrinkage lies in 0..1", "shrinkage");
  if (n <= d && shrinkage == 0) {
    throw Error(Code::invalid,
                "a Gaussian of width " + std::to_string(d) + " needs many more than " + std::to_string(n) +
                    " pictures; give more, narrower features, or a shrinkage",
                "features");
  }
  const auto mean = exact.mean(0), centred = exact - mean;
  const auto covariance = torch::matmul(centred.t(), centred) / static_cast<double>(n);
  const auto round = covariance.trace() / static_cast<double>(d) * torch::eye(d, torch::kDouble);
  return {mean, (1 - shrinkage) * covariance + shrinkage * round};
}

double gaussian_wasserstein(const Gaussian& a, const Gaussian& b) {
  const auto half = root_of(a.covariance);
  const auto crossed = torch::matmul(torch::matmul(half, b.covariance), half);
  const auto shared = torch::linalg_eigvalsh((crossed + crossed.t()) / 2).clamp_min(0).sqrt().sum();
  const auto square = (a.mean - b.mean).pow(2).sum() + a.covariance.trace() + b.covariance.trace() - 2 * shared;
  return root(square.item<double>());
}

SplitHalf split_half_wasserstein(const Tensor& features, int64_t splits, std::uint64_t seed) {
  const auto exact = checked(features);
  SplitHalf out{.n = exact.size(0) / 2};
  if (out.n < 1) throw Error(Code::invalid, "two halves need at least two pictures", "features");
  if (splits < 1) throw Error(Code::invalid, "at least one split is needed", "splits");
  auto random = torch::make_generator<at::CPUGeneratorImpl>(seed);
  double sum = 0, squares = 0;
  for (int64_t k = 0; k < splits; ++k) {
    const auto order = torch::randperm(exact.size(0), random);
    const auto half = [&](int64_t from) { return exact.index_select(0, order.slice(0, from, from + out.n)); };
    const double one = empirical_wasserstein(half(0), half(out.n));
    sum += one, squares += one * one;
  }
  const auto count = static_cast<double>(splits);
  out.mean = sum / count, out.deviation = root(squares / count - out.mean * out.mean);
  return out;
}

}  // namespace conceptd::learner
