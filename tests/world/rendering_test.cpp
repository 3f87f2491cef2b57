// The renderer: the mask is the truth about the picture, proportions vary continuously, and everything can be seen.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "learner/world/world.h"

namespace conceptd::world {
namespace {

constexpr int kPixels = kSide * kSide;

Picture picture(const Scene& scene) {
  Picture rgb(kPixels * 3);
  render(scene, rgb);
  return rgb;
}

Mask mask_of(const Scene& scene, std::size_t object) {
  Mask mask(kPixels);
  render_mask(scene, object, mask);
  return mask;
}

int difference(const Picture& a, const Picture& b, int pixel) {  // of the channel that differs most
  int most = 0;
  for (int i = 3 * pixel; i < 3 * pixel + 3; ++i)
    most = std::max(most, std::abs(int{a[static_cast<std::size_t>(i)]} - int{b[static_cast<std::size_t>(i)]}));
  return most;
}

double mean_difference(const Picture& a, const Picture& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(int{a[i]} - int{b[i]});
  return sum / static_cast<double>(a.size());
}

bool near_mask(const Mask& mask, int pixel) {  // within a pixel of it
  const int x = pixel % kSide, y = pixel / kSide;
  for (int row = std::max(0, y - 1); row <= std::min(kSide - 1, y + 1); ++row) {
    for (int column = std::max(0, x - 1); column <= std::min(kSide - 1, x + 1); ++column) {
      if (mask[static_cast<std::size_t>(row * kSide + column)] != 0) return true;
    }
  }
  return false;
}

TEST(Rendering, TheMaskIsWhereTheObjectChangesThePicture) {
  Random random(11);
  for (int trial = 0; trial < 200; ++trial) {
    const Scene scene = sample_scene(random, {.second_colour = 1, .pattern = .6, .badge = .3, .two_objects = .5});
    Scene empty = scene;
    empty.objects.clear();
    const Picture with = picture(scene), without = picture(empty);
    Mask all(kPixels, 0);
    for (std::size_t object = 0; object < scene.objects.size(); ++object) {
      const Mask mask = mask_of(scene, object);
      for (std::size_t i = 0; i < mask.size(); ++i) {
        ASSERT_TRUE(mask[i] == 0 || mask[i] == 255);
        ASSERT_FALSE(mask[i] != 0 && all[i] != 0) << "two objects in one pixel";
        all[i] = std::max(all[i], mask[i]);
      }
    }
    int inside = 0, changed = 0, tips = 0;  // a tip thinner than a pixel covers no pixel by half
    for (int pixel = 0; pixel < kPixels; ++pixel) {
      if (all[static_cast<std::size_t>(pixel)] != 0) {
        ++inside;
        changed += difference(with, without, pixel) > 8;
      } else if (!near_mask(all, pixel)) {
        tips += difference(with, without, pixel) != 0;
      }
    }
    EXPECT_LE(tips, 3);
    EXPECT_GT(inside, 150);
    EXPECT_GT(changed, .8 * inside);
  }
}

TEST(Rendering, ObjectsStayInsideThePicture) {
  Random random(12);
  for (int shape = 0; shape < static_cast<int>(shape_words().size()); ++shape) {
    for (int trial = 0; trial < 20; ++trial) {
      const Mask mask = mask_of(photograph(sample_instance(random, {}, shape), random), 0);
      for (int i = 0; i < kSide; ++i) {
        EXPECT_EQ(mask[static_cast<std::size_t>(i)], 0);
        EXPECT_EQ(mask[static_cast<std::size_t>(kPixels - 1 - i)], 0);
        EXPECT_EQ(mask[static_cast<std::size_t>(i * kSide)], 0);
        EXPECT_EQ(mask[static_cast<std::size_t>(i * kSide + kSide - 1)], 0);
      }
      const long area = std::count(mask.begin(), mask.end(), 255);
      EXPECT_GT(area, 330) << shape_words()[static_cast<std::size_t>(shape)];
      EXPECT_LT(area, 2000) << shape_words()[static_cast<std::size_t>(shape)];
    }
  }
}

TEST(Rendering, ObjectsCanBeSeenOnEveryBackground) {
  Random random(13);
  for (int background = 0; background < static_cast<int>(background_words().size()); ++background) {
    for (int trial = 0; trial < 100; ++trial) {
      const Scene scene =
          photograph(sample_instance(random, {.second_colour = 0, .pattern = 0, .badge = 0, .two_objects = 0}), random,
                     background);
      Scene empty = scene;
      empty.objects.clear();
      const Picture with = picture(scene), without = picture(empty);
      const Mask mask = mask_of(scene, 0);
      double sum = 0, area = 0;
      for (int pixel = 0; pixel < kPixels; ++pixel) {
        if (mask[static_cast<std::size_t>(pixel)] == 0) continue;
        sum += difference(with, without, pixel);
        ++area;
      }
      EXPECT_GT(sum / area, 36) << background_words()[static_cast<std::size_t>(background)] << ": "
                                << describe(scene.objects[0].instance);
    }
  }
}

TEST(Rendering, EveryProportionOfEveryShapeIsContinuous) {
  for (int shape = 0; shape < static_cast<int>(shape_words().size()); ++shape) {
    Scene scene;
    Placed placed;
    placed.instance.shape = shape;
    placed.instance.first = {.word = 0, .rgb = {.9f, .1f, .1f}};
    placed.instance.second = {.word = 5, .rgb = {.1f, .3f, .9f}};
    scene.objects.push_back(placed);
    int moving = 0;
    for (std::size_t part = 0; part < placed.instance.form.size(); ++part) {
      const auto at = [&](float value) {
        Scene moved = scene;
        moved.objects[0].instance.form[part] = value;
        return picture(moved);
      };
      const double far = mean_difference(at(-1), at(1)), close = mean_difference(at(0), at(.05f));
      moving += far > .4;
      EXPECT_LT(close, 1.5) << shape_words()[static_cast<std::size_t>(shape)] << " form " << part;
    }
    EXPECT_GE(moving, 3) << shape_words()[static_cast<std::size_t>(shape)];
  }
}

TEST(Rendering, PatternsAndBadgesAreLargeEnoughToRead) {
  Random random(14);
  for (int trial = 0; trial < 300; ++trial) {
    Instance instance = sample_instance(random, {.second_colour = 1, .pattern = 0, .badge = 0, .two_objects = 0});
    Scene scene = photograph(instance, random);
    const auto changed = [&](int pattern, int badge) {
      Scene other = scene;
      other.objects[0].instance.pattern = pattern;
      other.objects[0].instance.badge = badge;
      const Picture before = picture(scene), after = picture(other);
      int count = 0;
      for (int pixel = 0; pixel < kPixels; ++pixel) count += difference(before, after, pixel) > 10;
      return count;
    };
    for (int pattern = 1; pattern < 4; ++pattern) EXPECT_GT(changed(pattern, 0), 60) << describe(instance);
    for (int badge = 1; badge < 4; ++badge) EXPECT_GT(changed(0, badge), 60) << describe(instance);
  }
}

TEST(Rendering, ALargerPictureIsTheSamePicture) {
  constexpr int kScale = 4, kLarge = kSide * kScale;
  Random random(15);
  for (int trial = 0; trial < 20; ++trial) {
    const Scene scene = sample_scene(random, {});
    Picture large(kLarge * kLarge * 3), small(kPixels * 3);
    render_at(scene, kLarge, large);
    for (int i = 0; i < kPixels * 3; ++i) {
      const int channel = i % 3, x = i / 3 % kSide, y = i / 3 / kSide;
      int sum = 0;
      for (int row = y * kScale; row < (y + 1) * kScale; ++row) {
        for (int column = x * kScale; column < (x + 1) * kScale; ++column)
          sum += large[static_cast<std::size_t>((row * kLarge + column) * 3 + channel)];
      }
      small[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(sum / (kScale * kScale));
    }
    EXPECT_LT(mean_difference(small, picture(scene)), 2);
  }
}

}  // namespace
}  // namespace conceptd::world
