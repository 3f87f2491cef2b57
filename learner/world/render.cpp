// From a scene to pixels: the background, then each object drawn as inks at several samples a pixel, coloured,
// averaged, and laid over once.
#include <algorithm>
#include <cmath>
#include <cstring>
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
constexpr float kPeriods = 20;  // a whole number of periods of every pattern, and more than any box holds

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
    case 3:  // the body shows through
      canvas.arc(Ink::Rim, middle, radius * .79f, radius * .79f, 0, 360, radius * .8f);
      canvas.arc(Ink::Badge, middle, radius * .8f, radius * .8f, 0, 360, radius * .48f);
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

// Whether the pattern shows its second colour at a place, in periods from the box's middle. u and v are positive, so
// that truncation rounds down (std::floor is a call without SSE 4.1).
template <int pattern>
bool marked(float u, float v) {
  const auto fraction = [](float t) { return t - static_cast<float>(static_cast<int>(t)); };
  if constexpr (pattern == 1) {
    return fraction(v) < .45f;
  } else if constexpr (pattern == 2) {  // every other row is shifted by half
    const float row = v * 1.1f;
    const float shift = .5f * static_cast<float>(static_cast<int>(row) & 1);
    const float dx = fraction(u + shift) - .5f, dy = (fraction(row) - .5f) / 1.1f;
    return dx * dx + dy * dy < .105f;
  } else {  // a square is half a period and some more, to be seen
    return ((static_cast<int>(u * 1.4f) + static_cast<int>(v * 1.4f)) & 1) != 0;
  }
}

constexpr std::uint8_t kEdge = 16;  // added to an ink within a rim's width of the silhouette's border
struct Colours {
  std::array<std::array<float, 3>, 2 * kEdge> of{};
};

Colours colours_of(const Instance& instance) {
  const auto scaled = [](const std::array<float, 3>& rgb, float factor) {
    return std::array<float, 3>{rgb[0] * factor, rgb[1] * factor, rgb[2] * factor};
  };
  const bool one_colour = instance.first.rgb == instance.second.rgb;  // parts are then a deeper tone of the body
  const std::array<float, 3> second = scaled(instance.second.rgb, one_colour ? .7f : 1.f);
  Colours colours;
  const auto set = [&](Ink ink, const std::array<float, 3>& rgb) {
    colours.of[static_cast<std::size_t>(ink)] = rgb;
    colours.of[static_cast<std::size_t>(ink) + kEdge] = scaled(rgb, kRimDark);
  };
  set(Ink::First, instance.first.rgb);
  set(Ink::Second, second);
  set(Ink::FirstDeep, scaled(instance.first.rgb, .68f));
  set(Ink::SecondDeep, scaled(second, .68f));
  set(Ink::Dark, {.21f, .19f, .23f});
  set(Ink::Light, {.97f, .96f, .92f});
  set(Ink::Glass, {.80f, .91f, .96f});
  set(Ink::Rim, scaled(instance.first.rgb, .42f));
  set(Ink::Badge, {1.f, 1.f, 1.f});
  return colours;
}

// One row of samples: the pattern laid over the body, the border marked.
template <int pattern>
void finish_row(const Canvas& canvas, const Placed& placed, float scale, int y, int first, int last,
                std::uint8_t* out) {
  const std::uint8_t* cells = canvas.row(y);
  const int stride = static_cast<int>(canvas.row(1) - canvas.row(0));
  const int rim = std::clamp(static_cast<int>(kRimWidth * scale + .5f), 1, Canvas::kPad), slant = (rim * 7 + 5) / 10;
  const std::uint8_t* around[8] = {cells - rim,
                                   cells + rim,
                                   cells - rim * stride,
                                   cells + rim * stride,
                                   cells - slant * stride - slant,
                                   cells - slant * stride + slant,
                                   cells + slant * stride - slant,
                                   cells + slant * stride + slant};
  for (int x = first; x < last; ++x) {  // plain enough for the compiler to make vectors of it
    std::uint8_t least = std::min(around[0][x], around[1][x]);
    for (int i = 2; i < 8; ++i) least = std::min(least, around[i][x]);
    out[x] = static_cast<std::uint8_t>(cells[x] + (cells[x] != 0 && least == 0 ? kEdge : 0));
  }
  if constexpr (pattern != 0) {
    const float period = std::max(placed.instance.period, kPeriodMin / placed.size);
    const float angle = placed.tilt_deg * kPi / 180, step = 1 / (placed.size * scale * period);
    const float along = std::cos(angle) * step, across = std::sin(angle) * step;
    const float dx = .5f - placed.x * scale, dy = static_cast<float>(y) + .5f - placed.y * scale;
    const float u = across * dy + along * dx + kPeriods, v = along * dy - across * dx + kPeriods;
    for (int x = first; x < last; ++x) {
      if (cells[x] != static_cast<std::uint8_t>(Ink::First)) continue;
      const float t = static_cast<float>(x);
      if (marked<pattern>(u + along * t, v - across * t)) out[x] = static_cast<std::uint8_t>(out[x] + 1);
    }
  }
}
static_assert(static_cast<int>(Ink::Second) == static_cast<int>(Ink::First) + 1);

// Lays the canvas over the pixels: one average of the samples' colours, one blend by their number.
template <int pattern>
void blend(const Canvas& canvas, const Placed& placed, int side, std::span<float> rgb) {
  const Colours colours = colours_of(placed.instance);
  const float scale = static_cast<float>(side * kSamples) / kSide,
              reach = 64.f / (placed.size * static_cast<float>(side));
  const int first = canvas.left() / kSamples, last = (canvas.right() + kSamples - 1) / kSamples;
  thread_local std::array<std::vector<std::uint8_t>, kSamples> lines;
  for (std::vector<std::uint8_t>& line : lines) line.resize(static_cast<std::size_t>(canvas.width()));
  for (int row = canvas.top() / kSamples; row * kSamples < canvas.bottom(); ++row) {
    for (int sub = 0; sub < kSamples; ++sub) {
      finish_row<pattern>(canvas, placed, scale, row * kSamples + sub, first * kSamples, last * kSamples,
                          lines[static_cast<std::size_t>(sub)].data());
    }
    float* out = rgb.data() + static_cast<std::ptrdiff_t>(3) * (row * side + first);
    for (int column = first; column < last; ++column, out += 3) {
      std::array<std::uint8_t, kSamples * kSamples> inks;
      for (std::size_t sub = 0; sub < kSamples; ++sub) {
        std::memcpy(inks.data() + sub * kSamples, lines[sub].data() + column * kSamples, kSamples);
      }
      // Light falls from the upper left, evenly: it is taken at the pixel's middle.
      const float u = (static_cast<float>(column) + .5f) * reach - placed.x / placed.size;
      const float v = (static_cast<float>(row) + .5f) * reach - placed.y / placed.size;
      const float light = 1.02f - .26f * (.45f * u + .55f * v);
      if (std::memcmp(inks.data(), inks.data() + 1, inks.size() - 1) == 0) {
        if (inks[0] == 0) continue;
        for (std::size_t i = 0; i < 3; ++i) out[i] = std::min(1.f, colours.of[inks[0]][i] * light);
        continue;
      }
      std::array<float, 3> sum{};
      int covered = 0;
      for (const std::uint8_t ink : inks) {
        covered += ink != 0;
        for (std::size_t i = 0; i < 3; ++i) sum[i] += colours.of[ink][i];  // no ink: black
      }
      const float most = static_cast<float>(covered), share = 1.f / static_cast<float>(inks.size());
      for (std::size_t i = 0; i < 3; ++i) out[i] = out[i] * (1 - most * share) + std::min(most, sum[i] * light) * share;
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
