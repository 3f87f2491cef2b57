// Goal: the pairing is the cheapest there is. Method: every permutation of small problems beside it, and large ones
// whose answer is known.
#include "learner/measures/assignment.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "tests/support/expect_error.h"

namespace conceptd::learner {
namespace {

double total(const std::vector<double>& cost, const std::vector<std::size_t>& columns) {
  double sum = 0;
  for (std::size_t row = 0; row < columns.size(); ++row) sum += cost[row * columns.size() + columns[row]];
  return sum;
}

bool is_permutation_of_all(std::vector<std::size_t> columns) {
  std::sort(columns.begin(), columns.end());
  for (std::size_t k = 0; k < columns.size(); ++k) {
    if (columns[k] != k) return false;
  }
  return true;
}

double cheapest_by_trying_all(const std::vector<double>& cost, std::size_t n) {
  std::vector<std::size_t> columns(n);
  std::iota(columns.begin(), columns.end(), std::size_t{0});
  double least = std::numeric_limits<double>::infinity();
  do least = std::min(least, total(cost, columns));
  while (std::next_permutation(columns.begin(), columns.end()));
  return least;
}

TEST(Assignment, IsAsCheapAsTheBestOfAllPermutations) {
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  for (std::size_t n = 1; n <= 7; ++n) {
    for (int round = 0; round < 40; ++round) {
      std::vector<double> cost(n * n);
      for (auto& one : cost) one = round % 2 ? normal(random) : std::round(2 * normal(random));  // with many ties, too
      const auto columns = cheapest_assignment(cost, n);
      ASSERT_TRUE(is_permutation_of_all(columns));
      EXPECT_NEAR(total(cost, columns), cheapest_by_trying_all(cost, n), 1e-12) << n << ", " << round;
    }
  }
}

TEST(Assignment, FindsAHiddenPermutationOfFiveHundred) {
  constexpr std::size_t kCount = kAssignmentMax;
  std::mt19937 random(2);
  std::vector<std::size_t> hidden(kCount);
  std::iota(hidden.begin(), hidden.end(), std::size_t{0});
  std::shuffle(hidden.begin(), hidden.end(), random);
  std::uniform_real_distribution<double> price(-3, 3), more(.01, 1);
  std::vector<double> rows(kCount), columns(kCount), cost(kCount * kCount);
  for (auto& one : rows) one = price(random);
  for (auto& one : columns) one = price(random);
  for (std::size_t r = 0; r < kCount; ++r) {  // prices do not change who is cheapest
    for (std::size_t c = 0; c < kCount; ++c)
      cost[r * kCount + c] = rows[r] + columns[c] + (hidden[r] == c ? 0 : more(random));
  }
  EXPECT_EQ(cheapest_assignment(cost, kCount), hidden);
}

TEST(Assignment, OfNothingIsNothing) { EXPECT_TRUE(cheapest_assignment({}, 0).empty()); }

TEST(Assignment, RefusesWhatItCannotDo) {
  const std::vector<double> cost{1, 2, 3, std::nan("")};
  EXPECT_ERROR(cheapest_assignment(cost, 2), Code::invalid, "not finite");
  EXPECT_ERROR(cheapest_assignment(cost, 1), Code::invalid, "n rows of n");
  EXPECT_ERROR(cheapest_assignment(cost, kAssignmentMax + 1), Code::invalid, "at most 512");
}

}  // namespace
}  // namespace conceptd::learner
