// The sampler: the same seed gives the same world, every attribute varies, and the colour words stay apart.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "learner/world/draws.h"
#include "learner/world/world.h"

namespace conceptd::world {
namespace {

double hue_deg(const std::array<float, 3>& rgb) {
  const double high = *std::max_element(rgb.begin(), rgb.end()), low = *std::min_element(rgb.begin(), rgb.end());
  const double r = rgb[0], g = rgb[1], b = rgb[2], span = high - low;
  const double sixth = high == r ? (g - b) / span : high == g ? 2 + (b - r) / span : 4 + (r - g) / span;
  return sixth < -.2 ? 60 * sixth + 360 : 60 * sixth;  // red may be a little below nought
}

TEST(Sampling, UniformIsTheSameOnEveryPlatform) {
  Random random(1);
  EXPECT_DOUBLE_EQ(uniform(random), 0.13387664401253274);
}

TEST(Sampling, TheSameSeedGivesTheSameScenes) {
  Random one(7), other(7);
  for (int i = 0; i < 50; ++i) {
    const Scene a = sample_scene(one, {}), b = sample_scene(other, {});
    Picture first(kSide * kSide * 3), second(first.size());
    render(a, first);
    render(b, second);
    ASSERT_EQ(first, second);
  }
  EXPECT_EQ(one, other);
}

TEST(Sampling, TwoInstancesOfOneWordDifferInEverything) {
  Random random(2);
  for (int shape = 0; shape < static_cast<int>(shape_words().size()); ++shape) {
    const Instance a = sample_instance(random, {}, shape), b = sample_instance(random, {}, shape);
    EXPECT_EQ(a.shape, shape);
    EXPECT_NE(a.first.rgb, b.first.rgb);
    EXPECT_NE(a.second.rgb, b.second.rgb);
    EXPECT_NE(a.period, b.period);
    for (std::size_t i = 0; i < a.form.size(); ++i) EXPECT_NE(a.form[i], b.form[i]);
  }
}

TEST(Sampling, HuesOfTwoWordsDoNotOverlap) {
  Random random(3);
  std::map<int, std::pair<double, double>> bands;
  for (int word = 0; word < static_cast<int>(colour_words().size()); ++word) {
    auto& [low, high] = bands.try_emplace(word, 1e9, -1e9).first->second;
    for (int i = 0; i < 2000; ++i) {
      const double hue = hue_deg(draw_colour(random, word).rgb);
      low = std::min(low, hue);
      high = std::max(high, hue);
    }
    EXPECT_GT(high - low, 6) << colour_words()[static_cast<std::size_t>(word)];
    if (word > 0) {
      EXPECT_GT(low, bands[word - 1].second + 8) << colour_words()[static_cast<std::size_t>(word)];
    }
  }
}

TEST(Sampling, BreadthNarrowsTheWorld) {
  Random random(4);
  for (int i = 0; i < 300; ++i) {
    const Scene scene = sample_scene(random, {.second_colour = 0, .pattern = 0, .badge = 0, .two_objects = 0});
    ASSERT_EQ(scene.objects.size(), 1u);
    const Instance& instance = scene.objects[0].instance;
    EXPECT_EQ(instance.first.rgb, instance.second.rgb);
    EXPECT_EQ(instance.pattern, 0);
    EXPECT_EQ(instance.badge, 0);
  }
  for (int i = 0; i < 300; ++i) {
    const Scene scene = sample_scene(random, {.second_colour = 1, .pattern = 1, .badge = 1, .two_objects = 1});
    ASSERT_EQ(scene.objects.size(), 2u);
    EXPECT_LT(scene.objects[0].x, scene.objects[1].x);
    for (const Placed& placed : scene.objects) {
      EXPECT_NE(placed.instance.first.word, placed.instance.second.word);
      EXPECT_NE(placed.instance.pattern, 0);
      EXPECT_NE(placed.instance.badge, 0);
    }
  }
}

TEST(Sampling, EveryWordIsDrawn) {
  Random random(5);
  std::set<int> shapes, backgrounds, colours, patterns, badges;
  for (int i = 0; i < 2000; ++i) {
    const Scene scene = sample_scene(random, {});
    backgrounds.insert(scene.background);
    for (const Placed& placed : scene.objects) {
      shapes.insert(placed.instance.shape);
      colours.insert(placed.instance.first.word);
      patterns.insert(placed.instance.pattern);
      badges.insert(placed.instance.badge);
    }
  }
  EXPECT_EQ(shapes.size(), static_cast<std::size_t>(trained_shapes()));
  EXPECT_EQ(backgrounds.size(), background_words().size());
  EXPECT_EQ(colours.size(), colour_words().size());
  EXPECT_EQ(patterns.size(), pattern_words().size());
  EXPECT_EQ(badges.size(), badge_words().size());
}

TEST(Sampling, SiblingsShareTheWordsAndNothingElse) {
  Random random(6);
  for (int i = 0; i < 50; ++i) {
    const Instance one = sample_instance(random, {.second_colour = i % 2 ? 1. : 0.});
    const Instance other = sample_sibling(one, random);
    EXPECT_EQ(describe(one), describe(other));
    EXPECT_NE(one.first.rgb, other.first.rgb);
    EXPECT_NE(one.second.rgb, other.second.rgb);
    EXPECT_NE(one.form, other.form);
    EXPECT_NE(one.period, other.period);
    EXPECT_EQ(one.first.rgb == one.second.rgb, other.first.rgb == other.second.rgb);
  }
}

}  // namespace
}  // namespace conceptd::world
