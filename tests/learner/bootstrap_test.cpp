#include "learner/evaluate/bootstrap.h"

#include <cmath>
#include <random>
#include <vector>

#include "tests/support/expect_error.h"

namespace conceptd::evaluate {
namespace {

const std::vector<double> kNothing(2, 0);

TEST(Bootstrap, OfTwoConceptsHasThePercentilesOfItsThreeMeans) {  // 0, 1/2, 1 with probabilities 1/4, 1/2, 1/4
  const std::vector<double> figures{0, 1};
  const auto wide = paired_difference(figures, kNothing, {.level = .95});
  EXPECT_EQ(wide.value, .5);
  EXPECT_EQ(wide.low, 0);
  EXPECT_EQ(wide.high, 1);
  const auto narrow = paired_difference(figures, kNothing, {.level = .4});
  EXPECT_EQ(narrow.low, .5);
  EXPECT_EQ(narrow.high, .5);
}

TEST(Bootstrap, KeepsThePairsTogether) {  // concepts differ by much, the ways by the same on each
  std::vector<double> theirs{.1, .9, .4, .7, .2}, ours = theirs;
  for (auto& one : ours) one += .25;
  const auto interval = paired_difference(ours, theirs);
  EXPECT_NEAR(interval.low, .25, 1e-12);
  EXPECT_NEAR(interval.high, .25, 1e-12);
}

TEST(Bootstrap, IsTheNormalIntervalWhereThatHolds) {
  std::mt19937 random(3);
  std::normal_distribution<double> normal(2, 1.5);
  std::vector<double> figures(300);
  double sum = 0, squares = 0;
  for (auto& one : figures) one = normal(random), sum += one, squares += one * one;
  const double n = 300, mean = sum / n, error = std::sqrt((squares / n - mean * mean) / n);
  const auto interval = paired_difference(figures, std::vector<double>(300, 0));
  EXPECT_NEAR(interval.low, mean - 1.96 * error, .1 * error);
  EXPECT_NEAR(interval.high, mean + 1.96 * error, .1 * error);
}

TEST(Bootstrap, TurnsRoundWithTheQuestion) {
  const std::vector<double> a{.5, .1, .8, .3}, b{.2, .3, .1, .3};
  const auto one = paired_difference(a, b), other = paired_difference(b, a);
  EXPECT_NEAR(one.value, -other.value, 1e-15);
  EXPECT_NEAR(one.low, -other.high, 1e-12);
  EXPECT_NEAR(one.high, -other.low, 1e-12);
}

TEST(Bootstrap, DrawsTheSameConceptsForTheSameSeed) {
  const auto drawn = [](std::uint64_t seed) {
    std::vector<std::vector<std::size_t>> all;
    const auto keep = [&](std::span<const std::size_t> some) {
      all.emplace_back(some.begin(), some.end());
      return 0.;
    };
    bootstrap(5, keep, {.samples = 20, .seed = seed});
    return all;
  };
  const auto first = drawn(7);
  ASSERT_EQ(first.size(), 21u);
  EXPECT_EQ(first[0], (std::vector<std::size_t>{0, 1, 2, 3, 4}));
  for (const auto& some : first) EXPECT_EQ(some.size(), 5u);
  EXPECT_EQ(first, drawn(7));
  EXPECT_NE(first, drawn(8));
}

TEST(Bootstrap, RefusesWhatSaysNothing) {
  const std::vector<double> one{1}, two{1, 2}, unknown{1, std::nan("")};
  EXPECT_ERROR(paired_difference(one, one), Code::invalid, "at least two");
  EXPECT_ERROR(paired_difference(two, one), Code::invalid, "same concepts");
  EXPECT_ERROR(paired_difference(two, kNothing, {.level = 1}), Code::invalid, "level");
  EXPECT_ERROR(paired_difference(two, kNothing, {.samples = 1}), Code::invalid, "two samples");
  EXPECT_ERROR(paired_difference(unknown, kNothing), Code::invalid, "not finite");
}

}  // namespace
}  // namespace conceptd::evaluate
