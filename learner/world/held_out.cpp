// What training never shows: 40 draws of trained shapes (every shape once, seven twice) and 12 of held-out shapes,
// fixed by seeds.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "learner/world/draws.h"
#include "learner/world/world.h"

namespace conceptd::world {
namespace {

constexpr int kTrainedDraws = 40;
constexpr int kShapeDraws = 12;
constexpr std::uint64_t kOrderSeed = 0x5eed0001;
constexpr std::uint64_t kDrawSeed = 0x5eed0100;
constexpr float kNear = .2f;  // in the channel that differs most

bool close(const Colour& one, const Colour& other) {
  for (std::size_t i = 0; i < 3; ++i) {
    if (std::fabs(one.rgb[i] - other.rgb[i]) > kNear) return false;
  }
  return true;
}

bool near(const Instance& one, const Instance& other) {
  return one.shape == other.shape && one.pattern == other.pattern && one.badge == other.badge &&
         close(one.first, other.first) && close(one.second, other.second);
}

// Of five, three have a pattern and two a badge; one has both, one has neither.
HeldOut draw(int number, int shape, const std::vector<HeldOut>& earlier) {
  const int turn = number % 5;
  const Breadth breadth{.second_colour = 1,
                        .pattern = turn == 1 || turn == 3 || turn == 4 ? 1. : 0.,
                        .badge = turn == 2 || turn == 4 ? 1. : 0.,
                        .two_objects = 0};
  Random random(kDrawSeed + static_cast<std::uint64_t>(number));
  const std::string name = (number < 10 ? "held-0" : "held-") + std::to_string(number);
  for (;;) {  // two of one shape must not share their body's colour
    HeldOut held{name, draw_instance(random, breadth, shape)};
    const bool fresh = std::none_of(earlier.begin(), earlier.end(), [&](const HeldOut& other) {
      return other.instance.shape == shape && other.instance.first.word == held.instance.first.word;
    });
    if (fresh) return held;
  }
}

std::vector<HeldOut> draw_all() {
  std::vector<int> order(static_cast<std::size_t>(trained_shapes()));
  std::iota(order.begin(), order.end(), 0);
  Random random(kOrderSeed);
  for (int i = trained_shapes() - 1; i > 0; --i) {  // std::shuffle is implementation-defined
    std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(pick(random, i + 1))]);
  }
  std::vector<HeldOut> all;
  for (int i = 0; i < kTrainedDraws; ++i)
    all.push_back(draw(i + 1, order[static_cast<std::size_t>(i) % order.size()], all));
  const int strange = static_cast<int>(shape_words().size()) - trained_shapes();
  for (int i = 0; i < kShapeDraws; ++i) all.push_back(draw(kTrainedDraws + 1 + i, trained_shapes() + i % strange, all));
  return all;
}

}  // namespace

const std::vector<HeldOut>& held_out() {
  static const std::vector<HeldOut> all = draw_all();
  return all;
}

bool near_held_out(const Instance& instance) {
  const std::vector<HeldOut>& all = held_out();
  return std::any_of(all.begin(), all.end(), [&](const HeldOut& held) { return near(held.instance, instance); });
}

}  // namespace conceptd::world
