// Goal: an evaluation says of known cases what must be said of them. Method: on the embedded base, a word that means
// its class word, whose pictures are the class word's byte for byte, and one that means another thing.
#include "learner/evaluation.h"

#include "embedded_base.h"
#include "learner/gate/gate.h"
#include "learner/measures/diversity.h"
#include "tests/support/expect_error.h"

namespace conceptd::learner {
namespace {

TEST(Diversity, IsTheMeanDistanceOfSeedsOfOnePrompt) {
  const auto features = torch::tensor({{1., 0.}, {0., 1.}, {1., 0.}, {1., 0.}});
  EXPECT_DOUBLE_EQ(diversity(features, 2), .5) << "one prompt's two are at right angles, the other's are one";
  EXPECT_DOUBLE_EQ(diversity(features, 4), 1 - 3. / 6);
  EXPECT_TRUE(std::isnan(diversity(features, 1)));
}

class Evaluations : public testing::Test {
 protected:
  Evaluations() { bundle_.defaults.steps = 5; }
  EvaluationOrder order(const diffusion::Delta& delta) {
    return {.delta = delta, .photos = photos_of(20), .prompts = {"a {} on the beach", "a {} at night"}, .seeds = 2};
  }
  const std::string word_ = request_for(20, {}).class_word;
  diffusion::ModelBundle bundle_ = embedded_base();
  Judge judge_ = Judge::open(GateSettings::of(bundle_)->judge);
};

TEST_F(Evaluations, TheClassWordByAnotherNameIsTheClassWord) {
  const auto same = word_of(word_, word_);
  const auto before = bundle_.parameter_digest();
  auto asked = order(same);
  std::vector<double> done;
  asked.before_step = [&](double share) { done.push_back(share); };
  const auto evaluation = evaluate(bundle_, judge_, asked);
  ASSERT_EQ(evaluation.ways.size(), 3u);
  const auto& concept_way = evaluation.ways[0];
  const auto &plain = evaluation.ways[1], &floor = evaluation.ways[2];
  EXPECT_EQ(concept_way.way, "concept");
  EXPECT_EQ(plain.way, "class word");
  EXPECT_EQ(concept_way.likeness, plain.likeness);
  EXPECT_EQ(concept_way.fit, plain.fit);
  EXPECT_EQ(concept_way.diversity, plain.diversity);
  EXPECT_EQ(concept_way.copy_distance, plain.copy_distance);
  EXPECT_NEAR(concept_way.wasserstein, 0, 1e-6);
  EXPECT_GT(floor.wasserstein, .1) << "other seeds are other pictures";
  EXPECT_NE(floor.likeness, plain.likeness);
  EXPECT_EQ(evaluation.sheet.sizes(), (std::vector<int64_t>{3, 2 * 64, 2 * 64}))
      << "concept and class word, two prompts";
  EXPECT_TRUE(torch::equal(evaluation.sheet.slice(1, 0, 64), evaluation.sheet.slice(1, 64, 128)));
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
  EXPECT_EQ(done.size(), 3u * 2 * 5);
  EXPECT_EQ(done.front(), 0);
  EXPECT_LT(done.back(), 1);
  EXPECT_EQ(bundle_.parameter_digest(), before);
  EXPECT_EQ(unnamed_divergence(bundle_, asked), 0) << "a word changes no prompt that lacks it";
}

TEST_F(Evaluations, AnotherThingFitsWorse) {
  const auto other = word_of(word_, word_ == "mug" ? "tree" : "mug");
  auto asked = order(other);
  asked.words = word_;
  const auto evaluation = evaluate(bundle_, judge_, asked);
  ASSERT_EQ(evaluation.ways.size(), 4u);
  EXPECT_LT(evaluation.ways[0].fit, evaluation.ways[1].fit);
  EXPECT_GT(evaluation.ways[0].wasserstein, .1);
  EXPECT_EQ(evaluation.ways[3].way, "words");
  EXPECT_EQ(evaluation.ways[3].likeness, evaluation.ways[1].likeness) << "the words are the class word";
  EXPECT_EQ(evaluation.sheet.size(1), 3 * 64);
}

TEST_F(Evaluations, WithoutPhotosNothingIsLikeThem) {
  const auto same = word_of(word_, word_);
  auto asked = order(same);
  asked.photos = torch::Tensor(), asked.prompts.resize(1), asked.seeds = 1;
  const auto evaluation = evaluate(bundle_, judge_, asked);
  EXPECT_TRUE(std::isnan(evaluation.ways[0].likeness));
  EXPECT_TRUE(std::isnan(evaluation.ways[0].copy_distance));
  EXPECT_TRUE(std::isnan(evaluation.ways[0].diversity)) << "of one seed";
  EXPECT_FALSE(std::isnan(evaluation.ways[0].fit));
}

TEST_F(Evaluations, MoreThanCanBePairedIsRefusedBeforeAnythingIsDrawn) {
  const auto same = word_of(word_, word_);
  auto asked = order(same);
  asked.seeds = 257;
  EXPECT_ERROR(evaluate(bundle_, judge_, asked), Code::invalid, "514 pictures");
}

}  // namespace
}  // namespace conceptd::learner
