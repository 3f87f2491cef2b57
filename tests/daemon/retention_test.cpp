#include "daemon/retention.h"

#include <gtest/gtest.h>

#include "daemon/night_report.h"

namespace conceptd::daemon {
namespace {

constexpr std::nullopt_t no = std::nullopt;

// Three concepts that come one a night; the first fades, the second gets better, the third has one night.
ScoreMatrix three() {
  return {.nights = {1, 2, 3},
          .concepts = {"a", "b", "c"},
          .score = {{.8, no, no}, {.9, .5, no}, {.7, .6, .4}},
          .version = {{1, 0, 0}, {1, 1, 0}, {1, 1, 1}}};
}

TEST(Retention, IsWhatTheFormulasSay) {
  const Retention r = retention_of(three(), {.2, .1, .1});
  EXPECT_NEAR(*r.average, (.7 + .6 + .4) / 3, 1e-12);
  EXPECT_NEAR(*r.learning, (.8 + .5 + .4) / 3, 1e-12);
  EXPECT_NEAR(*r.backward_transfer, ((.7 - .8) + (.6 - .5)) / 2, 1e-12)
      << "over those that were learnt before the last";
  EXPECT_NEAR(*r.forgetting, ((.9 - .7) + (.6 - .6)) / 2, 1e-12) << "from the peak, so above 0 though transfer is 0";
  EXPECT_NEAR(*r.worst_retention, (.7 - .2) / (.8 - .2), 1e-12);
  EXPECT_EQ(r.worst, "a");
}

TEST(Retention, OfWhatNeverChangesIsWhole) {
  ScoreMatrix m = three();
  m.score = {{.8, no, no}, {.8, .5, no}, {.8, .5, .4}};
  const Retention r = retention_of(m, {.2, .1, .1});
  EXPECT_EQ(*r.backward_transfer, 0);
  EXPECT_EQ(*r.forgetting, 0);
  EXPECT_EQ(*r.worst_retention, 1);
}

TEST(Retention, BeginsAnewWithAnotherVersion) {
  ScoreMatrix m{.nights = {1, 2, 3}, .concepts = {"a"}, .score = {{.9}, {.5}, {.5}}, .version = {{1}, {2}, {2}}};
  EXPECT_EQ(*retention_of(m, {.1}).forgetting, 0) << "version 2 was learnt at .5";
  m.version = {{1}, {1}, {2}};
  EXPECT_FALSE(retention_of(m, {.1}).forgetting) << "one night is no history";
  EXPECT_EQ(*retention_of(m, {.1}).learning, .5);
}

TEST(Retention, PassesOverNightsAndConceptsThatWereNotMeasured) {
  const ScoreMatrix gap{.nights = {1, 2, 3},
                        .concepts = {"a", "gone"},
                        .score = {{.8, .9}, {no, .9}, {.6, no}},
                        .version = {{1, 1}, {0, 1}, {1, 0}}};
  const Retention r = retention_of(gap, {no, no});
  EXPECT_NEAR(*r.backward_transfer, -.2, 1e-12);
  EXPECT_NEAR(*r.average, .6, 1e-12);
  EXPECT_FALSE(r.worst_retention) << "without the class word's score there is nothing to divide by";
  EXPECT_FALSE(retention_of(gap, {.8, no}).worst_retention) << "nothing was learnt, so nothing can be retained";
  EXPECT_FALSE(retention_of({}, {}).average);
}

TEST(Retention, OfTheWorstCountsAlone) {
  const ScoreMatrix m{
      .nights = {1, 2}, .concepts = {"a", "b"}, .score = {{.6, .6}, {.6, .1}}, .version = {{1, 1}, {1, 1}}};
  const Retention r = retention_of(m, {.1, .2});
  EXPECT_NEAR(*r.worst_retention, -.25, 1e-12) << "worse than the class word";
  EXPECT_EQ(r.worst, "b");
}

TEST(ScoreMatrices, HaveARowANightAndAColumnAConceptAsTheyCame) {
  const std::vector<registry::NightMeasure> measures{
      {.night = 2, .name = "b", .version = 1, .identity = .5, .fidelity = .6},
      {.night = 4, .name = "a", .version = 3, .fidelity = .7},
      {.night = 4, .name = "b", .version = 2, .identity = .4, .fidelity = .5}};
  const ScoreMatrix fit = score_matrix(measures, Score::fidelity), likeness = score_matrix(measures, Score::identity);
  EXPECT_EQ(fit.nights, (std::vector<std::int64_t>{2, 4}));
  EXPECT_EQ(fit.concepts, (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(fit.score, (std::vector<std::vector<std::optional<double>>>{{.6, no}, {.5, .7}}));
  EXPECT_EQ(likeness.score, (std::vector<std::vector<std::optional<double>>>{{.5, no}, {.4, no}}));
  EXPECT_EQ(fit.version, (std::vector<std::vector<int>>{{1, 0}, {2, 3}}));
}

}  // namespace
}  // namespace conceptd::daemon
