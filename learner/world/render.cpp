// From a scene to pixels: the background, then each object drawn as inks at several samples a pixel, coloured,
// averaged, and laid over once.
#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <stdexcept>

#include "learner/world/backgrounds.h"
#include "learner/world/canvas.h"
#include "learner/world/shapes.h"
#include "learner/world/world.h"

namespace conceptd::world {
namespace {

constexpr int kSamples = 4;              // a pixel, along one axis
constexpr float kPeriodMin = 6.2f;       // pixels at kSide
constexpr float kBadgeRadius = .15f;     // of the box
constexpr float kBadgeRadiusMin = 5.4f;  // pixels at kSide
constexpr float kRimDark = .6f;          // the silhouette's edge keeps this much light
constexpr float kRimWidth = .9f;         // pixels at kSide
constexpr float kPi = 3.14159265f;

Canvas& canvas_for(int side) {
  thread_local std::map<int, std::unique_ptr<Canvas>> canvases;
  std::unique_ptr<Canvas>& canvas = canvases[side];
  if (!canvas) canvas = std::make_unique<Canvas>(side, kSamples);
  return *canvas;
}

void draw_badge(Canvas& canvas, int badge, Point middle, float radius) {
  const auto star = [&](Ink ink, float outer) {
    std::array<Point, 10> points;
    for (std::size_t i = 0; i < points.size(); ++i) {
      const float reach = i % 2 == 0 ? outer : outer * .5f, angle = static_cast<float>(i) * kPi / 5;
      points[i] = {middle.x + reach * std::sin(angle), middle.y - reach * std::cos(angle)};
    }
    canvas.polygon(ink, points);
  };
  const auto heart = [&](Ink ink, float size) {
    const float lobe = size * .53f, y = middle.y - size * .32f;
    canvas.disc(ink, {middle.x - lobe * .9f, y}, lobe);
    canvas.disc(ink, {middle.x + lobe * .9f, y}, lobe);
    canvas.polygon(ink, {{middle.x - lobe * 1.8f, y + lobe * .42f},
                         {middle.x, y - lobe * .2f},
                         {middle.x + lobe * 1.8f, y + lobe * .42f},
                         {middle.x, middle.y + size * .95f}});
  };
  const float rim = radius * .2f;
  switch (badge) {
    case 1:
      star(Ink::Rim, (radius + rim) * 1.16f);
      star(Ink::Badge, radius * 1.14f);
      break;
    case 2:
      heart(Ink::Rim, radius + rim);
      heart(Ink::Badge, radius);
      break;
    case 3:
      canvas.disc(Ink::Rim, middle, radius + rim * .7f);
      canvas.disc(Ink::Badge, middle, radius);
      canvas.disc(Ink::Rim, middle, radius * .5f);
      break;
    default:
      break;
  }
}

void draw_object(Canvas& canvas, const Placed& placed, int side) {
  const float scale = static_cast<float>(side * kSamples) / kSide;
  const Instance& instance = placed.instance;
  canvas.begin(placed.x * scale, placed.y * scale, placed.size * scale, placed.tilt_deg);
  const Point middle = drawing(static_cast<std::size_t>(instance.shape))(canvas, Form{instance.form});
  draw_badge(canvas, instance.badge, {middle.x + instance.badge_x, middle.y + instance.badge_y},
             std::max(kBadgeRadius, kBadgeRadiusMin / placed.size));
}

// Whether the pattern shows its second colour at a place of the box.
template <int pattern>
bool marked(float u, float v, float frequency, int direction) {
  if constexpr (pattern == 1) {
    const float t = (direction == 0 ? u : direction == 1 ? v : (u + v) * .70710678f) * frequency;
    return t - std::floor(t) < .45f;
  } else if constexpr (pattern == 2) {  // every other row is shifted by half
    const float row = v * frequency * 1.1f, line = std::floor(row);
    const float column = u * frequency + .5f * (static_cast<float>(static_cast<int>(line) & 1));
    const float dx = column - std::floor(column) - .5f, dy = (row - line - .5f) / 1.1f;
    return dx * dx + dy * dy < .105f;
  } else if constexpr (pattern == 3) {  // a square is half a period and a quarter more, to be seen
    const int square =
        static_cast<int>(std::floor(u * frequency * 1.4f)) + static_cast<int>(std::floor(v * frequency * 1.4f));
    return (square & 1) != 0;
  } else {
    return u > 2 && v > 2;  // never
  }
}

struct Colours {
  std::array<std::array<float, 3>, static_cast<std::size_t>(Ink::Count)> of{};
};

Colours colours_of(const Instance& instance) {
  const auto scaled = [](const std::array<float, 3>& rgb, float factor) {
    return std::array<float, 3>{rgb[0] * factor, rgb[1] * factor, rgb[2] * factor};
  };
  const bool one_colour = instance.first.rgb == instance.second.rgb;  // parts are then a deeper tone of the body
  const std::array<float, 3> second = scaled(instance.second.rgb, one_colour ? .7f : 1.f);
  Colours colours;
  const auto set = [&](Ink ink, const std::array<float, 3>& rgb) { colours.of[static_cast<std::size_t>(ink)] = rgb; };
  set(Ink::First, instance.first.rgb);
  set(Ink::Second, second);
  set(Ink::FirstDeep, scaled(instance.first.rgb, .68f));
  set(Ink::SecondDeep, scaled(second, .68f));
  set(Ink::Dark, {.13f, .12f, .15f});
  set(Ink::Light, {.97f, .96f, .92f});
  set(Ink::Glass, {.80f, .91f, .96f});
  set(Ink::Rim, scaled(instance.first.rgb, .42f));
  set(Ink::Badge, {1.f, 1.f, 1.f});
  return colours;
}

// Lays the canvas over the pixels: one average of the samples' colours, one blend by their number.
template <int pattern>
void blend(const Canvas& canvas, const Placed& placed, int side, std::span<float> rgb) {
  const Instance& instance = placed.instance;
  const Colours colours = colours_of(instance);
  const float scale = static_cast<float>(side * kSamples) / kSide;
  const float angle = placed.tilt_deg * kPi / 180, step = 1 / (placed.size * scale);
  const float along = std::cos(angle) * step, across = std::sin(angle) * step;
  const float frequency = 1 / std::max(instance.period, kPeriodMin / placed.size);
  const int rim = std::clamp(static_cast<int>(std::lround(kRimWidth * scale)), 1, Canvas::kPad),
            slant = (rim * 7 + 5) / 10;
  const int stride = static_cast<int>(canvas.row(1) - canvas.row(0));
  const int offsets[8] = {-rim,
                          rim,
                          -rim * stride,
                          rim * stride,
                          -slant * stride - slant,
                          -slant * stride + slant,
                          slant * stride - slant,
                          slant * stride + slant};
  for (int row = canvas.top() / kSamples; row * kSamples < canvas.bottom(); ++row) {
    for (int column = canvas.left() / kSamples; column * kSamples < canvas.right(); ++column) {
      float red = 0, green = 0, blue = 0;
      int covered = 0;
      for (int sub = 0; sub < kSamples; ++sub) {
        const int y = row * kSamples + sub;
        const std::uint8_t* cells = canvas.row(y) + column * kSamples;
        const float dy = static_cast<float>(y) + .5f - placed.y * scale;
        float dx = static_cast<float>(column * kSamples) + .5f - placed.x * scale;
        for (int x = 0; x < kSamples; ++x, dx += 1) {
          const std::uint8_t cell = cells[x];
          if (cell == 0) continue;
          ++covered;
          const float u = along * dx + across * dy, v = along * dy - across * dx;  // from the middle of the box
          const Ink ink = static_cast<Ink>(cell);
          const bool mark = ink == Ink::First && marked<pattern>(u + 4, v + 4, frequency, instance.direction);
          float light = ink == Ink::Badge ? 1.f : 1.02f - .26f * (.45f * u + .55f * v);
          bool edge = false;
          for (const int offset : offsets) edge |= cells[x + offset] == 0;
          if (edge) light *= kRimDark;
          const std::array<float, 3>& colour = colours.of[mark ? static_cast<std::size_t>(Ink::Second) : cell];
          red += std::min(1.f, colour[0] * light);
          green += std::min(1.f, colour[1] * light);
          blue += std::min(1.f, colour[2] * light);
        }
      }
      if (covered == 0) continue;
      constexpr float kShare = 1.f / (kSamples * kSamples);
      float* out = rgb.data() + static_cast<std::ptrdiff_t>(3) * (row * side + column);
      const float rest = 1 - static_cast<float>(covered) * kShare;
      out[0] = out[0] * rest + red * kShare;
      out[1] = out[1] * rest + green * kShare;
      out[2] = out[2] * rest + blue * kShare;
    }
  }
}

}  // namespace

void render_at(const Scene& scene, int side, std::span<std::uint8_t> rgb) {
  const std::size_t values = static_cast<std::size_t>(side) * static_cast<std::size_t>(side) * 3;
  if (side < 1 || rgb.size() != values)
    throw std::invalid_argument("render_at: the picture must hold side * side * 3 bytes");
  thread_local std::vector<float> pixels;
  pixels.resize(values);
  paint_background(scene.background, scene.mood, side, pixels);
  Canvas& canvas = canvas_for(side);
  for (const Placed& placed : scene.objects) {
    draw_object(canvas, placed, side);
    switch (placed.instance.pattern) {
      case 1:
        blend<1>(canvas, placed, side, pixels);
        break;
      case 2:
        blend<2>(canvas, placed, side, pixels);
        break;
      case 3:
        blend<3>(canvas, placed, side, pixels);
        break;
      default:
        blend<0>(canvas, placed, side, pixels);
        break;
    }
  }
  for (std::size_t i = 0; i < values; ++i) rgb[i] = static_cast<std::uint8_t>(pixels[i] * 255 + .5f);
}

void render(const Scene& scene, std::span<std::uint8_t> rgb) { render_at(scene, kSide, rgb); }

void render_mask(const Scene& scene, std::size_t object, std::span<std::uint8_t> mask) {
  if (object >= scene.objects.size() || mask.size() != static_cast<std::size_t>(kSide) * kSide) {
    throw std::invalid_argument("render_mask: no such object, or the mask is not kSide * kSide");
  }
  std::fill(mask.begin(), mask.end(), std::uint8_t{0});
  Canvas& canvas = canvas_for(kSide);
  for (std::size_t i = object; i < scene.objects.size(); ++i) {  // later objects stand in front
    draw_object(canvas, scene.objects[i], kSide);
    for (int row = canvas.top() / kSamples; row * kSamples < canvas.bottom(); ++row) {
      for (int column = canvas.left() / kSamples; column * kSamples < canvas.right(); ++column) {
        int covered = 0;
        for (int sub = 0; sub < kSamples; ++sub) {
          const std::uint8_t* cells = canvas.row(row * kSamples + sub) + column * kSamples;
          for (int x = 0; x < kSamples; ++x) covered += cells[x] != 0;
        }
        if (2 * covered >= kSamples * kSamples)
          mask[static_cast<std::size_t>(row * kSide + column)] = i == object ? 255 : 0;
      }
    }
  }
}

}  // namespace conceptd::world
