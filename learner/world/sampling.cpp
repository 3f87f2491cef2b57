// Draws of colours, instances and scenes. Only draws.h touches the engine, so a seed means the same world everywhere.
#include <cmath>

#include "learner/world/draws.h"
#include "learner/world/world.h"

namespace conceptd::world {
namespace {

// The band of one colour word: hue in degrees, saturation, value. Gaps between neighbouring bands are at least 8
// degrees, or clear in value.
struct Band {
  float hue[2], saturation[2], value[2];
};
constexpr Band kBands[8] = {
    {{-8, 7}, {.78f, .95f}, {.68f, .90f}},     // red
    {{20, 31}, {.82f, 1.f}, {.90f, 1.f}},      // orange
    {{49, 57}, {.70f, .95f}, {.92f, 1.f}},     // yellow
    {{104, 142}, {.60f, .90f}, {.52f, .76f}},  // green
    {{171, 187}, {.65f, .95f}, {.58f, .80f}},  // teal
    {{211, 232}, {.66f, .94f}, {.66f, .95f}},  // blue
    {{265, 285}, {.50f, .80f}, {.56f, .80f}},  // purple
    {{319, 339}, {.36f, .60f}, {.93f, 1.f}},   // pink
};

std::array<float, 3> rgb_of(float hue, float saturation, float value) {
  std::array<float, 3> rgb{};
  const float sector = (hue < 0 ? hue + 360 : hue) / 60;
  constexpr float kOffsets[3] = {5, 3, 1};
  for (int i = 0; i < 3; ++i) {
    float k = kOffsets[i] + sector;
    if (k >= 6) k -= 6;
    const float ramp = std::fmax(0.f, std::fmin(1.f, std::fmin(k, 4 - k)));
    rgb[static_cast<std::size_t>(i)] = value * (1 - saturation * ramp);
  }
  return rgb;
}

Placed place(const Instance& instance, Random& random, double centre_x, double spread, double size_min,
             double size_max) {
  Placed placed{.instance = instance};
  placed.x = between(random, centre_x - spread, centre_x + spread);
  placed.y = between(random, 33 - spread, 33 + spread);
  placed.size = between(random, size_min, size_max);
  placed.tilt_deg = between(random, -2, 2);
  return placed;
}

std::array<float, 4> draw_mood(Random& random) {
  std::array<float, 4> mood{};
  for (float& value : mood) value = between(random, -1, 1);
  return mood;
}

}  // namespace

Colour draw_colour(Random& random, int word) {
  const Band& band = kBands[word];
  const float hue = between(random, band.hue[0], band.hue[1]);
  const float saturation = between(random, band.saturation[0], band.saturation[1]);
  const float value = between(random, band.value[0], band.value[1]);
  return {.word = word, .rgb = rgb_of(hue, saturation, value)};
}

Instance draw_instance(Random& random, const Breadth& breadth, std::optional<int> shape) {
  Instance instance;
  const int drawn = pick(random, trained_shapes());  // always drawn: a given shape does not shift the rest
  instance.shape = shape.value_or(drawn);
  const int colours = static_cast<int>(colour_words().size());
  const int first = pick(random, colours);
  const int second = (first + 1 + pick(random, colours - 1)) % colours;
  instance.first = draw_colour(random, first);
  instance.second = draw_colour(random, second);
  if (!chance(random, breadth.second_colour)) instance.second = instance.first;
  if (chance(random, breadth.pattern))
    instance.pattern = 1 + pick(random, static_cast<int>(pattern_words().size()) - 1);
  instance.period = between(random, .28, .36);
  (void)pick(random, 3);  // stripes had directions once; without this draw the held-out things would be others
  if (chance(random, breadth.badge)) instance.badge = 1 + pick(random, static_cast<int>(badge_words().size()) - 1);
  instance.badge_x = between(random, -.035, .035);
  instance.badge_y = between(random, -.035, .035);
  for (float& value : instance.form) value = between(random, -1, 1);
  return instance;
}

Instance sample_instance(Random& random, const Breadth& breadth, std::optional<int> shape) {
  Instance instance = draw_instance(random, breadth, shape);
  while (near_held_out(instance)) instance = draw_instance(random, breadth, shape);
  return instance;
}

Instance sample_sibling(const Instance& instance, Random& random) {
  Instance other = draw_instance(random, {}, instance.shape);
  other.pattern = instance.pattern;
  other.badge = instance.badge;
  other.first = draw_colour(random, instance.first.word);
  other.second = instance.second.word == instance.first.word ? other.first : draw_colour(random, instance.second.word);
  return other;
}

Scene sample_scene(Random& random, const Breadth& breadth) {
  Scene scene{.background = pick(random, static_cast<int>(background_words().size())),
              .mood = draw_mood(random),
              .objects = {}};
  if (chance(random, breadth.two_objects)) {
    for (const double x : {17., 47.}) {
      scene.objects.push_back(place(sample_instance(random, breadth), random, x, 1.2, 27, 30));
    }
  } else {
    scene.objects.push_back(place(sample_instance(random, breadth), random, 32, 1.5, 42, 48));
  }
  return scene;
}

Scene photograph(const Instance& instance, Random& random, std::optional<int> background) {
  const int drawn = pick(random, static_cast<int>(background_words().size()));
  Scene scene{.background = background.value_or(drawn), .mood = draw_mood(random), .objects = {}};
  scene.objects.push_back(place(instance, random, 32, 1.5, 42, 48));
  return scene;
}

}  // namespace conceptd::world
