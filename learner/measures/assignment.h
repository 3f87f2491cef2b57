// The cheapest way to pair n things with n others: the Hungarian problem, without libtorch.
//
// Shortest augmenting paths with dual prices: Jonker and Volgenant 1987, "A shortest augmenting path algorithm for
// dense and sparse linear assignment problems", their augmentation alone (their initial reductions save time, not
// orders of it). O(n^3).
#pragma once
#include <cstddef>
#include <span>
#include <vector>

namespace conceptd::learner {

inline constexpr std::size_t kAssignmentMax = 512;

// cost: n rows of n columns, one row after the other. -> the column of every row; each column once. Error{invalid}
// where there are more than 512, the costs are not n * n, or one is not finite.
std::vector<std::size_t> cheapest_assignment(std::span<const double> cost, std::size_t n);

}  // namespace conceptd::learner
