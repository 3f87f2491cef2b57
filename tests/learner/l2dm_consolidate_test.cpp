// Goal: a night's consolidation is a function of the set of deltas, can be stopped and resumed, and says of itself what
// a gate needs to refuse it. Method: random deltas on the embedded base, short runs.
#include "learner/l2dm/consolidate.h"

#include <gtest/gtest.h>

#include "l2dm_base.h"
#include "learner/l2dm/rainbow.h"

namespace conceptd::learner {
namespace {

const nlohmann::json kShort{{"rank", 2},          {"steps", 3},         {"batch", 2},
                            {"candidates", 3},    {"kept", 1},          {"class_pictures", 1},
                            {"picture_steps", 2}, {"elastic_every", 2}, {"rate", .01}};

ConsolidationRequest request_of(std::vector<ConsolidationMember> members, const nlohmann::json& settings = kShort) {
  return {.members = std::move(members), .seed = 7, .settings = settings};
}

std::vector<ConsolidationMember> three() {
  return {random_member("mug-1", "mug"), random_member("mug-2", "mug"), random_member("hat-1", "hat")};
}

Consolidation consolidated(const ConsolidationRequest& request) {
  const OneThread one_thread;
  LearnContext context{.bundle = embedded_base()};
  return consolidate(request, context);
}

TEST(Consolidate, DependsOnTheSetAlone) {  // invariants 19, 20, 21
  auto& base = embedded_base();
  const auto before = base.parameter_digest();
  auto members = three();
  const auto all = diffusion::consolidated_bytes(consolidated(request_of(members)).made);
  std::rotate(members.begin(), members.begin() + 1, members.end());
  EXPECT_EQ(diffusion::consolidated_bytes(consolidated(request_of(members)).made), all);
  members.pop_back();  // rolled back: as if it had never been learnt
  const auto fewer = diffusion::consolidated_bytes(consolidated(request_of(members)).made);
  EXPECT_NE(fewer, all);
  EXPECT_EQ(base.parameter_digest(), before);
  EXPECT_EQ(diffusion::consolidated_bytes(diffusion::parse_consolidated(fewer, "test")), fewer);
}

TEST(Consolidate, GoesOnFromACheckpointBitForBit) {
  const OneThread one_thread;
  const auto request = request_of({random_member("mug-1", "mug"), random_member("hat-1", "hat")});
  const auto whole = diffusion::consolidated_bytes(consolidated(request).made);
  std::string kept;
  LearnContext stopping{.bundle = embedded_base(),
                        .progress =
                            [](const LearnProgress& progress) {
                              if (progress.step == 2) throw Error(Code::cancelled, "stop");
                            },
                        .checkpoint = [&](std::string bytes) { kept = std::move(bytes); },
                        .checkpoint_s = 0};
  EXPECT_THROW(consolidate(request, stopping), Error);
  ASSERT_FALSE(kept.empty());
  auto resumed = request;
  resumed.checkpoint = kept;
  std::vector<int64_t> steps;
  LearnContext watching{.bundle = embedded_base(), .progress = [&](const LearnProgress& progress) {
                          if (progress.step > 0) steps.push_back(progress.step);
                        }};
  EXPECT_EQ(diffusion::consolidated_bytes(consolidate(resumed, watching).made), whole);
  EXPECT_EQ(steps, std::vector<int64_t>{3});
}

TEST(Consolidate, DistillationKeepsMoreOfWhatTheClosedFormLost) {
  auto settings = kShort;
  // A ridge that leaves the closed form hardly anything.
  settings.update({{"ridge", 1000.}, {"steps", 40}, {"batch", 4}, {"rank", 8}, {"alpha", 0.}});
  const auto done = consolidated(request_of({random_member("mug-1", "mug"), random_member("mug-2", "mug")}, settings));
  double before = 0, after = 0;
  for (const auto& one : done.quality) before += one.effect_kept_closed_form / 2, after += one.effect_kept / 2;
  EXPECT_GT(after, before + .05);
}

TEST(Consolidate, AnEmptyRestIsTheClosedForm) {
  auto settings = kShort;
  settings["rank"] = 0;
  const auto done = consolidated(request_of({random_member("mug-1", "mug")}, settings));
  EXPECT_TRUE(done.made.residual.empty());
  EXPECT_EQ(done.quality[0].effect_kept, done.quality[0].effect_kept_closed_form);
  EXPECT_GT(done.quality[0].effect_kept, .3);
  EXPECT_LE(done.quality[0].effect_kept, 1);
  EXPECT_EQ(why_not_publish(done, .3, 10), "");
}

TEST(Consolidate, ABadRestIsSeenAndRefused) {  // acceptance check C17
  const OneThread one_thread;
  auto settings = kShort;
  settings["rank"] = 0;
  const std::vector members{random_member("mug-1", "mug")};
  auto done = consolidated(request_of(members, settings));
  torch::manual_seed(1);
  for (const auto& [site, difference] : done.made.merged)
    done.made.residual[site] = {torch::randn({4, difference.size(1)}), torch::randn({difference.size(0), 4})};
  const auto from =
      rehearsal(embedded_base(), embedded_delta_base(), members, ConsolidationSettings::from_json(settings), nullptr);
  done.quality = measure_quality(embedded_base(), embedded_delta_base(), members, from, done.made);
  EXPECT_NE(why_not_publish(done, .5, 10).find("<mug-1>"), std::string::npos);
  done.quality[0].effect_kept = NAN;
  EXPECT_NE(why_not_publish(done, .5, 10), "");
  done.quality[0].effect_kept = 1, done.drift = .3;
  EXPECT_NE(why_not_publish(done, .5, .2), "");
}

TEST(Consolidate, RefusesWhatItCannotDo) {
  const auto code = [](const ConsolidationRequest& request) {
    try {
      consolidated(request);
    } catch (const Error& error) {
      return error.code();
    }
    return Code::internal;
  };
  EXPECT_EQ(code(request_of({})), Code::invalid);
  EXPECT_EQ(code(request_of({random_member("mug-1", "mug"), random_member("mug-1", "mug")})), Code::invalid);
  EXPECT_EQ(code(request_of({random_member("mug-1", "mug")}, {{"ranks", 3}})), Code::invalid);
}

// ---- the selection

RainbowTask random_task(int seed, int64_t n, int64_t real) {
  auto random = torch::make_generator<at::CPUGeneratorImpl>(static_cast<std::uint64_t>(seed));
  const auto unit = [&](int64_t rows) {
    return torch::nn::functional::normalize(torch::randn({rows, 12}, random, torch::kDouble));
  };
  return {unit(n), unit(real)};
}

TEST(Rainbow, ScoresAreTheDoubleSumOfTheEquation) {  // invariant 3
  const std::vector tasks{random_task(1, 6, 3), random_task(2, 5, 3)};
  const auto all = torch::cat({tasks[0].candidates, tasks[1].candidates});
  const auto scores = dissimilarity(tasks);
  for (std::size_t l = 0; l < 2; ++l) {
    const auto said = (1 - torch::matmul(tasks[l].candidates, all.t())).mean(1);
    EXPECT_LT((said - scores[l]).abs().max().item<double>(), 1e-10);
  }
}

TEST(Rainbow, KeepsOneForEveryRealPictureAndNoneTwice) {  // invariant 2
  const std::vector tasks{random_task(1, 6, 4), random_task(2, 3, 5)};
  const auto chosen = rainbow_selection(tasks, 1);
  EXPECT_EQ(std::set<int64_t>(chosen[0].begin(), chosen[0].end()).size(), 4u);
  EXPECT_EQ(std::set<int64_t>(chosen[1].begin(), chosen[1].end()).size(), 3u);  // there are no more
  EXPECT_EQ(rainbow_selection(tasks, 1), chosen);
  EXPECT_EQ(rainbow_selection(tasks, 1, true)[1].size(), 5u);
}

TEST(Rainbow, LikenessAloneTakesTheNearestAndNoneTheMostUnlike) {  // invariant 4
  const std::vector tasks{random_task(1, 9, 3)};
  const auto nearest = torch::matmul(tasks[0].real, tasks[0].candidates.t()).argmax(1);
  const auto chosen = rainbow_selection(tasks, 1e9, true)[0];
  for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(chosen[static_cast<std::size_t>(i)], nearest[i].item<int64_t>());
  const auto unlike = dissimilarity(tasks)[0].argmax().item<int64_t>();
  EXPECT_EQ(rainbow_selection(tasks, 0, true)[0], std::vector<int64_t>(3, unlike));
}

TEST(Rainbow, DoesNotSeeATurnOfAllFeatures) {  // invariant 5
  std::vector tasks{random_task(1, 6, 3), random_task(2, 5, 3)};
  const auto chosen = rainbow_selection(tasks, 1);
  torch::manual_seed(5);
  const auto turn = std::get<0>(torch::linalg_qr(torch::randn({12, 12}, torch::kDouble)));
  for (auto& task : tasks)
    task.candidates = torch::matmul(task.candidates, turn), task.real = torch::matmul(task.real, turn);
  EXPECT_EQ(rainbow_selection(tasks, 1), chosen);
}

}  // namespace
}  // namespace conceptd::learner
