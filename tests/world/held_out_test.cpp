// What is held out: fixed for ever, well spread, and never sampled.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "learner/world/draws.h"
#include "learner/world/world.h"

namespace conceptd::world {
namespace {

TEST(HeldOutThings, AreSpreadOverTheWorld) {
  const std::vector<HeldOut>& all = held_out();
  ASSERT_EQ(all.size(), 52u);
  EXPECT_EQ(all.front().name, "held-01");
  EXPECT_EQ(all.back().name, "held-52");
  std::map<int, int> shapes;
  int patterned = 0, badged = 0, neither = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Instance& instance = all[i].instance;
    EXPECT_EQ(instance.shape < trained_shapes(), i < 40);
    EXPECT_NE(instance.first.word, instance.second.word);
    if (i >= 40) continue;
    ++shapes[instance.shape];
    patterned += instance.pattern != 0;
    badged += instance.badge != 0;
    neither += instance.pattern == 0 && instance.badge == 0;
  }
  EXPECT_EQ(shapes.size(), static_cast<std::size_t>(trained_shapes()));
  EXPECT_GE(std::count_if(shapes.begin(), shapes.end(), [](const auto& entry) { return entry.second > 1; }), 2)
      << "pairs of one class";
  EXPECT_GE(patterned, 12);
  EXPECT_GE(badged, 12);
  EXPECT_GE(neither, 4);
}

// A golden digest: published figures speak of these very things. If this fails, the draws have changed; undo that.
TEST(HeldOutThings, NeverChange) {
  std::uint64_t digest = 1469598103934665603u;
  const auto add = [&](float value) {
    digest =
        (digest ^ static_cast<std::uint64_t>(static_cast<std::int64_t>(value * 1000.f + 2000.5f))) * 1099511628211u;
  };
  for (const HeldOut& held : held_out()) {
    const Instance& instance = held.instance;
    for (const int value : {instance.shape, instance.pattern, instance.badge}) add(static_cast<float>(value));
    for (const float value : instance.first.rgb) add(value);
    for (const float value : instance.second.rgb) add(value);
    for (const float value : instance.form) add(value);
  }
  EXPECT_EQ(digest, 7160953973448718977u);
}

TEST(HeldOutThings, AreRejectedWithTheirNeighbourhood) {
  for (const HeldOut& held : held_out()) {
    EXPECT_TRUE(near_held_out(held.instance)) << held.name;
    Instance nudged = held.instance;
    nudged.first.rgb[1] += .05f;
    nudged.form = {};
    EXPECT_TRUE(near_held_out(nudged)) << held.name;
    nudged.badge = (nudged.badge + 1) % 4;
    EXPECT_FALSE(near_held_out(nudged)) << held.name;
  }
}

TEST(HeldOutThings, TakeASmallPartOfTheWorld) {
  constexpr int kDraws = 100000;
  Random random(31);
  int near = 0;
  for (int i = 0; i < kDraws; ++i) near += near_held_out(draw_instance(random, {}, {}));
  EXPECT_GT(near, 0);
  EXPECT_LT(near, kDraws / 200);
}

TEST(HeldOutThings, AreNeverSampled) {
  Random random(32);
  for (int i = 0; i < 20000; ++i) {
    for (const Placed& placed : sample_scene(random, {}).objects) {
      ASSERT_LT(placed.instance.shape, trained_shapes());
      ASSERT_FALSE(near_held_out(placed.instance));
    }
  }
}

}  // namespace
}  // namespace conceptd::world
