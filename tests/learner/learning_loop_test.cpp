// Goal: a run that was killed and goes on from its last checkpoint learns the same bytes as one that was never killed;
// numbers that stop being numbers end a run, after two slower tries. Method: real learners stopped at every kind of
// step, and a toy whose loss explodes on demand.
#include "learner/learning_loop.h"

#include <gtest/gtest.h>

#include "diffusion/delta.h"
#include "embedded_base.h"

namespace conceptd::learner {
namespace {

const nlohmann::json kShort{{"steps", 30}, {"batch", 2}, {"preview_every", 0}};

std::string delta_of(const std::string& method, const LearnRequest& request, LearnContext& context) {
  return diffusion::delta_bytes(make_learner(method)->learn(request, context).delta);
}

// What a run leaves behind that is killed after so many steps.
std::string killed_after(const std::string& method, const LearnRequest& request, int64_t steps) {
  std::string last;
  LearnContext context{.bundle = embedded_base(),
                       .progress =
                           [&](const LearnProgress& p) {
                             if (p.step == steps) throw Error(Code::cancelled, "killed");
                           },
                       .checkpoint = [&](std::string bytes) { last = std::move(bytes); },
                       .checkpoint_s = 0};
  EXPECT_THROW(make_learner(method)->learn(request, context), Error);
  return last;
}

class Resuming : public testing::TestWithParam<std::tuple<std::string, int>> {};

TEST_P(Resuming, EndsWithTheSameBytesAsNeverHavingStopped) {
  const auto& [method, step] = GetParam();
  auto settings = kShort;
  if (method == "lora" || method == "custom_diffusion") settings["prior_pictures"] = 2;
  auto request = request_for(20, settings);
  LearnContext whole{.bundle = embedded_base()};
  const auto expected = delta_of(method, request, whole);
  request.checkpoint = killed_after(method, request, step);
  int64_t first = 0;
  LearnContext rest{.bundle = embedded_base(), .progress = [&](const LearnProgress& p) {
                      if (first == 0) first = p.step;
                    }};
  EXPECT_EQ(delta_of(method, request, rest), expected);
  EXPECT_EQ(first, step + 1);
}
INSTANTIATE_TEST_SUITE_P(Methods, Resuming,
                         testing::Combine(testing::Values("perfusion", "textual_inversion", "infusion", "lora",
                                                          "custom_diffusion"),
                                          testing::Values(1, 27)));

TEST(Resuming, BeginsAnewWhereTheCheckpointIsAnothersOrBroken) {
  auto request = request_for(20, {{"steps", 3}, {"batch", 2}, {"preview_every", 0}});
  LearnContext plain{.bundle = embedded_base()};
  const auto expected = delta_of("perfusion", request, plain);
  auto other = request;
  other.seed += 1;
  const auto foreign = killed_after("perfusion", other, 2);
  const auto own = killed_after("perfusion", request, 2);
  for (const auto& checkpoint : {foreign, std::string("nonsense"), own.substr(0, own.size() - 7)}) {
    request.checkpoint = checkpoint;
    std::vector<std::string> notes;
    LearnContext context{.bundle = embedded_base(),
                         .progress = [&](const LearnProgress& p) { notes.push_back(p.note); }};
    EXPECT_EQ(delta_of("perfusion", request, context), expected);
    ASSERT_EQ(notes.size(), 3u);
    EXPECT_NE(notes[0].find("begins anew"), std::string::npos) << notes[0];
    EXPECT_EQ(notes[1], "");
  }
}

// One number that is pushed up by its rate every step; above `cliff` the loss is not a number.
struct Toy {
  Tensor value = torch::zeros({1}, torch::requires_grad());
  torch::optim::Adam adam{{value}, torch::optim::AdamOptions(1)};
  std::vector<std::string> notes;
  std::vector<std::string> checkpoints;
  float gradient = -1;

  void run(double cliff, int64_t steps, std::string checkpoint = {}) {
    LearnRequest request{.name = "toy", .class_word = "toy", .photos = {}, .masks = {}, .seed = 1, .settings = {}};
    request.checkpoint = std::move(checkpoint);
    LearnContext context{.bundle = embedded_base(),
                         .progress = [&](const LearnProgress& p) { notes.push_back(p.note); },
                         .checkpoint = [&](std::string bytes) { checkpoints.push_back(std::move(bytes)); },
                         .checkpoint_s = 0};
    LearningLoop loop({.method = "toy", .steps = steps, .rates = {1}}, request, context, adam);
    loop.run(
        [&](int64_t, torch::Generator&) {
          value.mutable_grad() = torch::full({1}, gradient);
          const double now = value.item<double>();
          return now > cliff ? std::nan("") : now;
        },
        [] { return Tensor(); });
  }
};

TEST(LearningLoop, GoesBackToAGoodPointAndOnAtHalfTheRate) {
  Toy toy;
  toy.run(32.2, 40);  // at full rate it is over the cliff after 33 steps; from 25 on at half it never is
  EXPECT_NEAR(toy.value.item<double>(), 25 + 15 * .5, .01);
  int said = 0;
  for (const auto& note : toy.notes) said += note.find("goes on from step 25 at half the rate") != std::string::npos;
  EXPECT_EQ(said, 1);
}

TEST(LearningLoop, ResumesIntoTheSameSecondTry) {
  Toy whole;
  whole.run(28.5, 40);
  for (const std::size_t killed : {std::size_t{26}, std::size_t{30}, whole.checkpoints.size() - 2}) {
    Toy rest;
    rest.run(28.5, 40, whole.checkpoints.at(killed));
    EXPECT_TRUE(torch::equal(rest.value, whole.value)) << killed;
  }
}

TEST(LearningLoop, EndsAsDivergedAfterTwoSlowerTries) {
  Toy toy;
  try {
    toy.run(25.2, 40);
    FAIL() << "it went on";
  } catch (const Diverged& error) {
    EXPECT_NE(std::string(error.what()).find("not a number at step"), std::string::npos) << error.what();
  }
  EXPECT_TRUE(toy.value.isfinite().all().item<bool>());
}

TEST(LearningLoop, AMeanSquareWithoutEndIsNoNumberEither) {
  Toy toy;
  toy.gradient = -1e25f;  // its square is beyond fp32: Adam's steps would be 0 from here on, and nothing would say so
  EXPECT_THROW(toy.run(100, 40), Diverged);
}

TEST(LearningLoop, NamesTheStepWhereAPhotoIsNoPicture) {
  auto request = request_for(20, kShort);
  request.photos = request.photos.clone();
  request.photos[1].fill_(std::nan(""));
  LearnContext context{.bundle = embedded_base()};
  try {
    make_learner("perfusion")->learn(request, context);
    FAIL() << "it went on";
  } catch (const Diverged& error) {
    EXPECT_NE(std::string(error.what()).find("at step 1,"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace conceptd::learner
