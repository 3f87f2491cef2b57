// Goal: a thing's own colours are told from others that the same words name. Method: real renders, whose colours are
// moved by known steps.
#include "learner/evaluate/colour_error.h"

#include <gtest/gtest.h>

#include "learner/pretrain/scenes.h"
#include "learner/pretrain/stages.h"

namespace conceptd::evaluate {
namespace {

double mean_error(const world::Instance& shown, const world::Instance& truth) {
  auto random = pretrain::task_random(0xc0107, 0, 0);
  std::vector<world::Scene> scenes;
  for (int k = 0; k < 8; ++k) scenes.push_back(world::photograph(shown, random));
  double sum = 0;
  for (const double error : colour_errors(pretrain::render_scenes(scenes), truth)) sum += error / 8;
  return sum;
}

TEST(ColourError, OfTheThingIsLessThanOfOthersOfTheSameWords) {
  auto random = pretrain::task_random(0x51b, 0, 0);
  double own = 0, others = 0;
  for (std::size_t c = 0; c < 20; ++c) {
    const auto& truth = world::held_out()[c].instance;
    own += mean_error(truth, truth) / 20, others += mean_error(world::sample_sibling(truth, random), truth) / 20;
  }
  EXPECT_LT(own, .8 * others) << own << " and " << others;
}

TEST(ColourError, GrowsWithTheDistanceOfEitherColour) {
  for (const bool second : {false, true}) {
    const auto& truth = world::held_out()[0].instance;
    double before = -1;
    for (const float off : {0.f, .1f, .2f, .4f}) {
      auto shown = truth;
      auto& rgb = (second ? shown.second : shown.first).rgb;
      for (auto& channel : rgb) channel += channel > .5f ? -off : off;
      const double error = mean_error(shown, truth);
      EXPECT_GT(error, before + (off > 0 ? .005 : 0)) << off << (second ? " second" : " first");
      before = error;
    }
  }
}

TEST(ColourError, MissesAColourThatIsNotThere) {
  const auto& truth = world::held_out()[0].instance;
  auto plain = truth;
  plain.second = plain.first;
  EXPECT_GT(mean_error(plain, truth), mean_error(truth, truth) + .02);
}

}  // namespace
}  // namespace conceptd::evaluate
