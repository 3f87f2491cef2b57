#include "learner/evaluate/rise.h"

#include <gtest/gtest.h>

namespace conceptd::evaluate {
namespace {

TEST(Rise, IsNothingAtWordsAndWholeAtRenders) {
  const std::vector<double> words{.2, .4, .9}, renders{.8, .9, .9};
  EXPECT_EQ(rise(words, words, renders).value, 0);
  EXPECT_DOUBLE_EQ(rise(renders, words, renders).value, 1);
  EXPECT_EQ(rise(renders, words, renders).standard_error, 0);
  EXPECT_LT(rise({.1, .3, .8}, words, renders).value, 0);
}

TEST(Rise, WeighsThingsByTheRoomThatWordsLeave) {
  // .3 of .6, then .1 of .1: four sevenths, and not the mean of a half and one
  const auto one = rise({.5, .9}, {.2, .8}, {.8, .9});
  EXPECT_NEAR(one.value, 4. / 7, 1e-12);
  EXPECT_NEAR(one.standard_error, .25, 1e-12);  // without each in turn: 1 and .5
}

TEST(Rise, IsNothingWhereThereIsNoRoom) { EXPECT_EQ(rise({.5}, {.9}, {.9}).value, 0); }

TEST(Rise, ReadsAReport) {
  const auto thing = [](double method, double words, double renders) {
    const auto both = [](double x) {
      return nlohmann::json{{"embedding", x}, {"by_truth", x}, {"found", x}, {"colour_error", 1 - x}};
    };
    return nlohmann::json{
        {"ways", {{"perfusion", both(method)}, {"best description", both(words)}, {"real renders", both(renders)}}}};
  };
  const auto report = rises(nlohmann::json::array({thing(.5, .2, .8), thing(.9, .8, .9)}));
  ASSERT_EQ(report.size(), 1u);
  EXPECT_NEAR(report["perfusion"]["by_truth"]["rise"].get<double>(), 4. / 7, 1e-12);
  EXPECT_NEAR(report["perfusion"]["colour_error"]["rise"].get<double>(), 4. / 7, 1e-12) << "less is better";
  EXPECT_TRUE(rises(nlohmann::json::array()).empty());
}

}  // namespace
}  // namespace conceptd::evaluate
