#include "learner/measures/copy_distance.h"

#include "tests/support/expect_error.h"

namespace conceptd::learner {
namespace {

TEST(CopyDistance, IsToTheNearestPhotoWhateverTheLengths) {
  const auto photos = torch::tensor({{2., 0.}, {0., .5}});
  const auto found = copy_distance(torch::tensor({{5., 0.}, {1., 2.}, {-1., 0.}}), photos);
  EXPECT_NEAR(found.distance[0].item<double>(), 0, 1e-12);  // a copy
  EXPECT_NEAR(found.distance[1].item<double>(), 1 - 2 / std::sqrt(5.), 1e-12);
  EXPECT_NEAR(found.distance[2].item<double>(), 1, 1e-12);
  EXPECT_EQ(found.nearest[0].item<int64_t>(), 0);
  EXPECT_EQ(found.nearest[1].item<int64_t>(), 1);
  EXPECT_EQ(found.nearest[2].item<int64_t>(), 1);
}

TEST(CopyDistance, DoesNotKnowTheOrderAndFallsWithEveryPhoto) {
  torch::manual_seed(1);
  const auto pictures = torch::randn({9, 16}), photos = torch::randn({6, 16}), order = torch::randperm(6);
  const auto all = copy_distance(pictures, photos), shuffled = copy_distance(pictures, photos.index_select(0, order));
  EXPECT_TRUE(torch::allclose(all.distance, shuffled.distance));
  EXPECT_TRUE(torch::equal(all.nearest, order.index_select(0, shuffled.nearest)));
  EXPECT_TRUE((copy_distance(pictures, photos.slice(0, 0, 3)).distance >= all.distance).all().item<bool>());
}

TEST(CopyDistance, RefusesWhatHasNoDirection) {
  const auto some = torch::ones({2, 4});
  EXPECT_ERROR(copy_distance(torch::zeros({1, 4}), some), Code::invalid, "no direction");
  EXPECT_ERROR(copy_distance(some, torch::full({1, 4}, NAN)), Code::invalid, "no direction");
  EXPECT_ERROR(copy_distance(some, torch::ones({0, 4})), Code::invalid, "at least one");
  EXPECT_ERROR(copy_distance(some, torch::ones({2, 5})), Code::invalid, "two nets");
}

}  // namespace
}  // namespace conceptd::learner
