// Goal: concepts that each changed whole layers live in one layer as each was alone. Method: the two conditions of the
// closed form, on random layers.
#include "diffusion/edits/merged.h"

#include <gtest/gtest.h>

namespace conceptd::diffusion {
namespace {

class Merged : public testing::Test {
 protected:
  void SetUp() override { torch::manual_seed(23); }
  static Tensor differences_at(const Tensor& difference, const Tensor& rows) {
    return torch::matmul(rows, difference.t());
  }
  static double worst(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }
  static constexpr int64_t kWidth = 24, kOut = 9;
  Tensor captions = torch::randn({400, kWidth}) * torch::linspace(.2, 2, kWidth);
  Tensor covariance = torch::matmul(captions.t(), captions).to(torch::kDouble) / 400;
  std::vector<Tensor> differences{torch::randn({kOut, kWidth}), torch::randn({kOut, kWidth})};
  std::vector<Tensor> targets{torch::randn({3, kWidth}), torch::randn({2, kWidth})};
};

TEST_F(Merged, SaysAtEveryConceptsTokensWhatThatConceptSaid) {
  const auto merged = merged_difference(differences, targets, covariance);
  for (std::size_t k = 0; k < 2; ++k)
    EXPECT_LT(worst(differences_at(merged, targets[k]), differences_at(differences[k], targets[k])), 1e-4);
}

TEST_F(Merged, ChangesAllElseLessThanTheSumAndThanAnyOtherThatDoesSo) {
  const auto merged = merged_difference(differences, targets, covariance);
  const auto change = [&](const Tensor& difference) {
    return differences_at(difference, captions).norm().item<double>();
  };
  EXPECT_LT(change(merged), .6 * change(differences[0] + differences[1]));
  const auto rows = torch::cat(targets);
  const auto onto = torch::matmul(torch::linalg_pinv(rows), rows);  // other solutions differ beside the targets
  for (int other = 0; other < 5; ++other) {
    const auto aside = torch::matmul(torch::randn({kOut, kWidth}), torch::eye(kWidth) - onto) * .05;
    EXPECT_LT(change(merged), change(merged + aside));
  }
}

TEST_F(Merged, DoesNotDependOnTheCovariancesScaleNorOnRowsSaidTwice) {
  const auto merged = merged_difference(differences, targets, covariance);
  EXPECT_LT(worst(merged, merged_difference(differences, targets, 37 * covariance)), 1e-4);
  auto twice = targets;
  twice[0] = torch::cat({targets[0], targets[0].slice(0, 0, 1)});
  EXPECT_LT(worst(merged, merged_difference(differences, twice, covariance)), 1e-4);
}

TEST_F(Merged, EditsAreMergedAtTheirSitesAndAllElseIsAdded) {
  auto a = std::make_shared<EditSet>(), b = std::make_shared<EditSet>(), c = std::make_shared<EditSet>();
  a->tokens.push_back({"<a>", torch::randn({2, kWidth})});
  a->sites["k"].low_rank.push_back({Tensor(), differences[0]});
  b->sites["k"].low_rank.push_back({Tensor(), differences[1]});
  b->sites["q"].low_rank.push_back({torch::randn({2, kWidth}), torch::randn({kOut, 2})});
  c->sites["v"].residual.push_back({torch::randn({kOut}), {1}});
  EXPECT_TRUE(has_whole_differences(*a));
  EXPECT_FALSE(has_whole_differences(*c));
  const std::vector<std::shared_ptr<const EditSet>> sets{a, b, c};
  const auto merged = merge_edits(sets, std::vector<Tensor>{targets[0], targets[1], Tensor()}, covariance);
  EXPECT_EQ(merged.tokens.size(), 1u);
  ASSERT_EQ(merged.sites.at("k").low_rank.size(), 1u);
  EXPECT_TRUE(torch::equal(merged.sites.at("k").low_rank[0].up, merged_difference(differences, targets, covariance)));
  EXPECT_EQ(merged.sites.at("q").low_rank.size(), 1u);
  EXPECT_EQ(merged.sites.at("v").residual.size(), 1u);
}

}  // namespace
}  // namespace conceptd::diffusion
