// How sure a figure over concepts is: percentile intervals of the bootstrap (Efron 1979; Efron and Tibshirani 1993,
// chapter 13), without libtorch.
//
// The concept is drawn again, never the picture: pictures of one concept share its photos, its delta and its seeds, so
// drawing among pictures would promise more than is known. Two ways are compared on the same concepts, and stay
// together when those are drawn.
#pragma once
#include <cstdint>
#include <functional>
#include <span>

namespace conceptd::evaluate {

struct BootstrapOptions {
  int64_t samples = 10000;
  double level = .95;
  std::uint64_t seed = 1;  // the same seed draws the same concepts, for every statistic
};

struct Interval {
  double value = 0;  // of the concepts as they are
  double low = 0, high = 0;
};

// Given which concepts were drawn: as many as there are, some of them more than once.
using Statistic = std::function<double(std::span<const std::size_t> drawn)>;

// Error{invalid} with fewer than two concepts or samples, a level outside 0..1, or a statistic that is not finite.
Interval bootstrap(std::size_t concepts, const Statistic& statistic, const BootstrapOptions& options = {});

// Of the mean of ours - theirs: a figure a concept of each (the mean over its pictures), in the same order.
Interval paired_difference(std::span<const double> ours, std::span<const double> theirs,
                           const BootstrapOptions& options = {});

}  // namespace conceptd::evaluate
