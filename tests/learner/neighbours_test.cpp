// Goal: predicted words are drawn to real ones and pushed apart. Method: the invariants of
// musar_and_tuning_encoder.md, B10 (the number of each stands at its test), on random rows in double precision.
#include "learner/tuning_encoder/neighbours.h"

#include <gtest/gtest.h>

namespace conceptd::learner {
namespace {

class Neighbours : public testing::Test {
 protected:
  void SetUp() override {
    torch::manual_seed(3);
    words = torch::randn({20, 6}, torch::kDouble), v = torch::randn({4, 6}, torch::kDouble);
  }
  double loss(const Tensor& rows, int64_t k = 5) const {
    return neighbour_loss(rows, words, nearest_words(rows, words, k)).item<double>();
  }
  Tensor words, v;
};

TEST_F(Neighbours, OfOneConceptAloneCostNothing) {  // B10-6
  EXPECT_EQ(loss(v.slice(0, 0, 1)), 0);
  EXPECT_GT(loss(v), 0);
}

TEST_F(Neighbours, CostTheSameInAnyOrderAndAtAnyLength) {  // B10-6
  EXPECT_NEAR(loss(v.index_select(0, torch::tensor({2, 0, 3, 1}))), loss(v), 1e-12);
  EXPECT_NEAR(loss(v * torch::tensor({.1, 3., 7., 1.}, torch::kDouble).unsqueeze(1)), loss(v), 1e-12);
  EXPECT_NEAR(length_loss(3 * v).item<double>(), 9 * length_loss(v).item<double>(), 1e-9);
}

TEST_F(Neighbours, OfTwoAreASoftplus) {  // B10-7
  const auto two = v.slice(0, 0, 2);
  const auto cosine = [](const Tensor& a, const Tensor& b) { return (a.dot(b) / a.norm() / b.norm()).item<double>(); };
  const auto near = nearest_words(two, words, 1);
  double expected = 0;
  for (int64_t k = 0; k < 2; ++k) {
    const auto to_word = cosine(two[k], words[near[k][0].item<int64_t>()]);
    expected += std::log1p(std::exp((cosine(two[0], two[1]) - to_word) / kNeighbourTemperature)) / 2;
  }
  EXPECT_NEAR(loss(two, 1), expected, 1e-9);
}

TEST_F(Neighbours, AreComeNearerToByItsGradientWhichNoWordFeels) {  // B10-8
  auto rows = v.clone().requires_grad_(), table = words.clone().requires_grad_(), others = v.flip(1).requires_grad_();
  const auto near = nearest_words(rows, table, 5);
  const auto at = [&](const Tensor& x) { return neighbour_loss(x, table, near, others); };
  const auto before = at(rows);
  before.backward();
  EXPECT_FALSE(table.grad().defined());
  EXPECT_FALSE(others.grad().defined());
  const torch::NoGradGuard guard;
  EXPECT_LT(at(rows - 1e-3 * rows.grad()).item<double>(), before.item<double>());
  const auto direction = torch::randn_like(v);
  const double h = 1e-5, slope = (at(v + h * direction) - at(v - h * direction)).item<double>() / (2 * h);
  EXPECT_NEAR(slope, (rows.grad() * direction).sum().item<double>(), 1e-6);
}

TEST_F(Neighbours, OfAWordIsThatWordAndOfEqualsTheFirst) {  // B10-9
  EXPECT_EQ(nearest_words(words.slice(0, 7, 8), words, 1).item<int64_t>(), 7);
  const auto twice = torch::cat({words, words});
  EXPECT_EQ(nearest_words(words.slice(0, 7, 8), twice, 1).item<int64_t>(), 7);
  EXPECT_EQ(nearest_words(5 * words.slice(0, 7, 8), twice, 2)[0][1].item<int64_t>(), 27);
}

}  // namespace
}  // namespace conceptd::learner
