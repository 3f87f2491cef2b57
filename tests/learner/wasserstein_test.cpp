// Goal: both distances are the ones that the formulas say. Method: the specification's worked numbers (B10.12), and
// what holds for any sets.
#include "learner/measures/wasserstein.h"

#include "learner/measures/assignment.h"
#include "tests/support/expect_error.h"

namespace conceptd::learner {
namespace {

Tensor column(const std::vector<double>& values) { return torch::tensor(values, torch::kDouble).unsqueeze(1); }
Gaussian normal(double mean, double deviation) {
  return {torch::tensor({mean}, torch::kDouble), torch::full({1, 1}, deviation * deviation, torch::kDouble)};
}
Tensor cloud(int64_t n, int64_t d, int seed) {
  torch::manual_seed(seed);
  return torch::matmul(torch::randn({n, d}, torch::kDouble), torch::randn({d, d}, torch::kDouble));
}

TEST(Wasserstein, HasTheWorkedNumbers) {
  EXPECT_NEAR(empirical_wasserstein(column({0, 1}), column({2, 4})), 2.549510, 1e-6);  // √6.5
  EXPECT_NEAR(gaussian_wasserstein(normal(0, 1), normal(3, 2)), std::sqrt(10.), 1e-12);
}

TEST(Wasserstein, OfASetToItselfIsNothing) {
  const auto x = cloud(40, 3, 1);
  EXPECT_EQ(empirical_wasserstein(x, x), 0);
  EXPECT_NEAR(gaussian_wasserstein(gaussian_of(x), gaussian_of(x)), 0, 1e-6);
}

TEST(Wasserstein, OfATranslationIsItsLength) {
  const auto x = cloud(60, 4, 2), by = torch::tensor({1., -2., 2., 4.}, torch::kDouble);  // 5 long
  EXPECT_NEAR(empirical_wasserstein(x, x + by), 5, 1e-9);
  EXPECT_NEAR(gaussian_wasserstein(gaussian_of(x), gaussian_of(x + by)), 5, 1e-9);
}

TEST(Wasserstein, IsSymmetricAndDoesNotKnowTheOrderOfPictures) {
  const auto x = cloud(50, 3, 3), y = cloud(50, 3, 4) + 1;
  const double one = empirical_wasserstein(x, y);
  EXPECT_NEAR(one, empirical_wasserstein(y, x), 1e-9);
  EXPECT_NEAR(one, empirical_wasserstein(x.index_select(0, torch::randperm(50)), y), 1e-9);
  EXPECT_GT(one, 1e-3);
  const auto a = gaussian_of(x), b = gaussian_of(y);
  EXPECT_NEAR(gaussian_wasserstein(a, b), gaussian_wasserstein(b, a), 1e-9);
}

TEST(Wasserstein, OfGaussiansTurnsWithTheAxesAndIsKnownWhereTheyShareThem) {  // then it is that of the spreads
  const auto turn = std::get<0>(torch::linalg_qr(torch::randn({3, 3}, torch::kDouble)));
  const auto of = [&](std::vector<double> spreads) {
    const auto s = torch::tensor(spreads, torch::kDouble);
    return Gaussian{torch::zeros({3}, torch::kDouble), torch::matmul(turn * s.pow(2), turn.t())};
  };
  EXPECT_NEAR(gaussian_wasserstein(of({1, 2, 3}), of({2, 2, 1})), std::sqrt(1. + 0 + 4), 1e-9);
}

TEST(Wasserstein, OfTheGaussiansIsNeverTheLargerOne) {  // Gelbrich's bound, at the sets' own moments
  for (int seed = 10; seed < 20; ++seed) {
    const auto x = cloud(30, 2, seed), y = cloud(30, 2, seed + 100).pow(3);
    EXPECT_LE(gaussian_wasserstein(gaussian_of(x), gaussian_of(y)), empirical_wasserstein(x, y) + 1e-9);
  }
}

TEST(Wasserstein, ShrinksTowardsARoundCovarianceOfTheSameSize) {
  const auto x = cloud(5, 8, 5);  // too few for their width
  EXPECT_ERROR(gaussian_of(x), Code::invalid, "shrinkage");
  const auto round = gaussian_of(x, 1).covariance, half = gaussian_of(x, .5).covariance;
  EXPECT_TRUE(torch::allclose(round, round[0][0] * torch::eye(8, torch::kDouble)));
  EXPECT_NEAR(half.trace().item<double>(), round.trace().item<double>(), 1e-9);
  EXPECT_GT(torch::linalg_eigvalsh(half).min().item<double>(), 0);
}

TEST(SplitHalf, SaysWhatNoDifferenceLooksLikeAtThisNumber) {
  const auto all = cloud(400, 6, 6), some = all.slice(0, 0, 40);
  const auto few = split_half_wasserstein(some, 8, 1), many = split_half_wasserstein(all, 8, 1);
  EXPECT_EQ(few.n, 20);
  EXPECT_EQ(many.n, 200);
  EXPECT_GT(many.mean, 0);
  EXPECT_GT(few.mean, many.mean);  // biased upwards, and the more the fewer
  EXPECT_GT(few.deviation, 0);
  EXPECT_EQ(few.mean, split_half_wasserstein(some, 8, 1).mean);
  EXPECT_NE(few.mean, split_half_wasserstein(some, 8, 2).mean);
}

TEST(SplitHalf, OfTwoPicturesIsTheirDistance) {
  const auto one = split_half_wasserstein(column({1, 4}), 3, 1);
  EXPECT_NEAR(one.mean, 3, 1e-12);
  EXPECT_NEAR(one.deviation, 0, 1e-6);
}

TEST(Wasserstein, RefusesSetsThatDoNotCompare) {
  EXPECT_ERROR(empirical_wasserstein(cloud(4, 2, 1), cloud(5, 2, 1)), Code::invalid, "as many");
  EXPECT_ERROR(empirical_wasserstein(column({0, NAN}), column({0, 1})), Code::invalid, "not finite");
  EXPECT_ERROR(empirical_wasserstein(torch::zeros({kAssignmentMax + 1, 1}), torch::zeros({kAssignmentMax + 1, 1})),
               Code::invalid, "at most 512");
  EXPECT_ERROR(gaussian_of(cloud(9, 2, 1), 2), Code::invalid, "0..1");
  EXPECT_ERROR(split_half_wasserstein(column({1}), 1, 1), Code::invalid, "two pictures");
}

}  // namespace
}  // namespace conceptd::learner
