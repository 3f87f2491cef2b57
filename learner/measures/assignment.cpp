#include "learner/measures/assignment.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.h"

namespace conceptd::learner {

namespace {
constexpr auto kNone = std::numeric_limits<std::size_t>::max();
constexpr double kFar = std::numeric_limits<double>::infinity();

void check(std::span<const double> cost, std::size_t n) {
  if (n > kAssignmentMax) {
    throw Error(Code::invalid,
                "an assignment takes at most " + std::to_string(kAssignmentMax) + " things; compare fewer", "cost");
  }
  if (cost.size() != n * n) throw Error(Code::invalid, "the costs are not n rows of n", "cost");
  if (!std::all_of(cost.begin(), cost.end(), [](double one) { return std::isfinite(one); }))
    throw Error(Code::invalid, "a cost is not finite", "cost");
}
}  // namespace

std::vector<std::size_t> cheapest_assignment(std::span<const double> cost, std::size_t n) {
  check(cost, n);
  std::vector<double> row_price(n, 0), column_price(n, 0);
  std::vector<std::size_t> row_of(n, kNone), column_of(n, kNone);
  for (std::size_t start = 0; start < n; ++start) {
    // Dijkstra over columns, in reduced costs, until one is free. Those on the way are taken by earlier rows.
    std::vector<double> distance(n, kFar);
    std::vector<std::size_t> from(n, kNone);
    std::vector<bool> done(n, false);
    double length = 0;
    std::size_t row = start, end = kNone;
    while (end == kNone) {
      std::size_t nearest = kNone;
      for (std::size_t column = 0; column < n; ++column) {
        if (done[column]) continue;
        const double through = length + cost[row * n + column] - row_price[row] - column_price[column];
        if (through < distance[column]) distance[column] = through, from[column] = row;
        if (nearest == kNone || distance[column] < distance[nearest]) nearest = column;
      }
      length = distance[nearest], done[nearest] = true;
      if (row_of[nearest] == kNone) {
        end = nearest;
      } else {
        row = row_of[nearest];
      }
    }
    // Prices stay such that no reduced cost is negative and those of chosen pairs are zero.
    row_price[start] += length;
    for (std::size_t column = 0; column < n; ++column) {
      if (!done[column] || column == end) continue;
      row_price[row_of[column]] += length - distance[column];
      column_price[column] -= length - distance[column];
    }
    for (auto column = end; column != kNone;) {  // back along the path: every row takes the column it came for
      row = from[column];
      row_of[column] = row;
      std::swap(column_of[row], column);
    }
  }
  return column_of;
}

}  // namespace conceptd::learner
