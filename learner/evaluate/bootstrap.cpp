#include "learner/evaluate/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "core/error.h"

namespace conceptd::evaluate {

namespace {
double quantile(const std::vector<double>& sorted, double share) {  // between order statistics: a straight line
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(at));
  const auto above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}
}  // namespace

Interval bootstrap(std::size_t concepts, const Statistic& statistic, const BootstrapOptions& options) {
  if (concepts < 2) throw Error(Code::invalid, "an interval over concepts needs at least two of them", "concepts");
  if (options.samples < 2) throw Error(Code::invalid, "the bootstrap needs at least two samples", "samples");
  if (!(options.level > 0 && options.level < 1)) throw Error(Code::invalid, "the level lies between 0 and 1", "level");
  const auto of = [&](const std::vector<std::size_t>& drawn) {
    const double figure = statistic(drawn);
    if (!std::isfinite(figure)) throw Error(Code::invalid, "the statistic of some concepts is not finite", "statistic");
    return figure;
  };
  std::vector<std::size_t> drawn(concepts);
  std::iota(drawn.begin(), drawn.end(), std::size_t{0});
  Interval interval{.value = of(drawn)};
  std::mt19937_64 random(options.seed);
  std::vector<double> figures;
  for (int64_t k = 0; k < options.samples; ++k) {
    for (auto& one : drawn) one = random() % concepts;  // 2^64 is so many times more that no concept gains by it
    figures.push_back(of(drawn));
  }
  std::sort(figures.begin(), figures.end());
  interval.low = quantile(figures, (1 - options.level) / 2);
  interval.high = quantile(figures, (1 + options.level) / 2);
  return interval;
}

Interval paired_difference(std::span<const double> ours, std::span<const double> theirs,
                           const BootstrapOptions& options) {
  if (ours.size() != theirs.size())
    throw Error(Code::invalid, "two ways are compared on the same concepts, a figure each", "concepts");
  const auto mean = [&](std::span<const std::size_t> drawn) {
    double sum = 0;
    for (const auto k : drawn) sum += ours[k] - theirs[k];
    return sum / static_cast<double>(drawn.size());
  };
  return bootstrap(ours.size(), mean, options);
}

}  // namespace conceptd::evaluate
