// The ten backgrounds. Each is a colour as a function of the place, (0, 0) to (1, 1); the mood moves the horizon,
// brightness, tint and slope.
#include "learner/world/backgrounds.h"

#include <algorithm>
#include <cmath>

namespace conceptd::world {
namespace {

struct Rgb {
  float r, g, b;
};
Rgb mix(Rgb a, Rgb b, float t) { return {a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t}; }
float clamp01(float t) { return std::clamp(t, 0.f, 1.f); }
float smooth(float t) { return t = clamp01(t), t * t * (3 - 2 * t); }

// What one background knows of its picture.
struct View {
  float horizon, slope, pixel;  // horizon's height at the middle, its rise, a pixel's width
  float line(float x) const { return horizon + slope * (x - .5f); }
  float below(float y, float edge) const { return clamp01((y - edge) / pixel + .5f); }  // antialiased step
  float disc(float x, float y, float centre_x, float centre_y, float radius) const {
    const float dx = x - centre_x, dy = y - centre_y;
    return clamp01((radius - std::sqrt(dx * dx + dy * dy)) / pixel + .5f);
  }
};
float puff(float x, float y, float centre_x, float centre_y, float radius_x, float radius_y) {  // a soft spot
  const float dx = (x - centre_x) / radius_x, dy = (y - centre_y) / radius_y;
  return smooth(1.15f - (dx * dx + dy * dy));
}

Rgb grass(const View& v, float x, float y) {
  const float line = v.line(x) + .12f * (x - .3f) * (x - .3f);
  const Rgb sky = mix({.56f, .77f, .96f}, {.86f, .94f, .99f}, clamp01(y / line));
  return mix(sky, mix({.70f, .80f, .42f}, {.50f, .66f, .30f}, clamp01((y - line) / (1 - line))), v.below(y, line));
}

Rgb snow(const View& v, float x, float y) {
  const float back = v.line(x) - .02f - .3f * (x - .75f) * (x - .75f) + .02f,
              front = v.line(1 - x) + .12f + .2f * (x - .2f) * (x - .2f);
  const Rgb sky = mix({.63f, .70f, .80f}, {.77f, .81f, .87f}, clamp01(y / back));
  const Rgb far = mix(sky, {.87f, .90f, .96f}, v.below(y, back));
  return mix(far, mix({.99f, .99f, 1.f}, {.90f, .93f, .98f}, clamp01((y - front) / (1 - front))), v.below(y, front));
}

Rgb beach(const View& v, float x, float y) {
  const float shore = v.line(x) + .12f, far = v.horizon - .04f;
  const Rgb sky = mix({.48f, .76f, .97f}, {.80f, .93f, .99f}, clamp01(y / far));
  const Rgb water =
      mix(sky, mix({.16f, .50f, .72f}, {.30f, .74f, .80f}, clamp01((y - far) / (shore - far))), v.below(y, far));
  const Rgb foam = mix(water, {.97f, .98f, .96f}, v.below(y, shore - .025f));
  return mix(foam, mix({.95f, .89f, .72f}, {.88f, .79f, .58f}, clamp01((y - shore) / (1 - shore))), v.below(y, shore));
}

Rgb desert(const View& v, float x, float y) {
  const float back = v.line(x) - .05f + .5f * (x - .25f) * (x - .25f),
              front = v.line(1 - x) + .08f + .35f * (x - .85f) * (x - .85f);
  const Rgb sky = mix({.99f, .86f, .60f}, {1.f, .95f, .80f}, clamp01(y / back));
  const Rgb far = mix(sky, {.87f, .62f, .38f}, v.below(y, back));
  return mix(far, mix({.80f, .53f, .31f}, {.64f, .40f, .24f}, clamp01((y - front) / (1 - front))), v.below(y, front));
}

Rgb table(const View& v, float x, float y) {
  const float edge = v.horizon + .1f + .3f * v.slope * (x - .5f);
  const Rgb wall = mix({.83f, .80f, .77f}, {.93f, .90f, .86f}, clamp01(y / edge));
  const Rgb rim = mix(wall, {.40f, .25f, .17f}, v.below(y, edge));
  return mix(rim, mix({.66f, .46f, .31f}, {.52f, .35f, .23f}, clamp01((y - edge) / (1 - edge))),
             v.below(y, edge + .035f));
}

Rgb night(const View& v, float x, float y) {
  const float line = v.line(x) + .3f - .2f * (x - .4f) * (x - .4f);
  Rgb sky = mix({.03f, .04f, .14f}, {.10f, .11f, .28f}, clamp01(y / line));
  const float moon = v.disc(x, y, .85f, .14f, .1f) * (1 - v.disc(x, y, .80f, .11f, .09f));
  sky = mix(sky, {.98f, .95f, .75f}, moon);
  for (const auto& [star_x, star_y] : {std::pair{.10f, .12f}, {.30f, .06f}, {.60f, .07f}, {.07f, .42f}, {.94f, .45f}}) {
    sky = mix(sky, {.95f, .95f, 1.f}, v.disc(x, y, star_x, star_y, .018f));
  }
  return mix(sky, mix({.07f, .12f, .15f}, {.03f, .05f, .08f}, clamp01((y - line) * 3)), v.below(y, line));
}

Rgb sky(const View& v, float x, float y) {
  const float shift = v.slope, rise = v.horizon - .5f;
  const Rgb air = mix({.40f, .66f, .96f}, {.74f, .88f, .99f}, y);
  float cloud = 0;
  cloud = std::max(cloud, puff(x, y, .14f + shift, .20f + rise, .20f, .10f));
  cloud = std::max(cloud, puff(x, y, .27f + shift, .15f + rise, .13f, .09f));
  cloud = std::max(cloud, puff(x, y, .84f - shift, .86f - rise, .24f, .11f));
  cloud = std::max(cloud, puff(x, y, .70f - shift, .81f - rise, .14f, .10f));
  return mix(air, {1.f, 1.f, 1.f}, cloud * .9f);
}

Rgb sunset(const View& v, float x, float y) {
  const float line = v.line(x) + .2f, t = clamp01(y / line);
  Rgb air = t < .5f ? mix({.36f, .22f, .48f}, {.80f, .42f, .50f}, t * 2)
                    : mix({.80f, .42f, .50f}, {.99f, .76f, .46f}, t * 2 - 1);
  air = mix(air, {1.f, .95f, .70f}, v.disc(x, y, .82f, line - .02f, .15f));
  return mix(air, mix({.36f, .20f, .34f}, {.22f, .12f, .24f}, clamp01((y - line) / (1 - line))), v.below(y, line));
}

Rgb sea(const View& v, float x, float y) {
  const float floor = v.line(x) + .36f + .15f * (x - .6f) * (x - .6f);
  Rgb water = mix({.55f, .86f, .90f}, {.10f, .36f, .58f}, smooth(y * .95f));
  for (const float ray : {.22f, .55f, .85f}) {  // light from above
    const float away = std::fabs(x - ray + (y - .3f) * (.25f + v.slope)) / (.05f + .05f * y);
    water = mix(water, {.80f, .97f, .97f}, .35f * smooth(1.2f - away) * clamp01(1 - y * 1.1f));
  }
  return mix(water, mix({.50f, .60f, .55f}, {.32f, .43f, .45f}, clamp01((y - floor) * 5)), v.below(y, floor));
}

Rgb moon(const View& v, float x, float y) {
  const float line = v.line(x) + .05f + .18f * (x - .5f) * (x - .5f);
  Rgb space = {.02f, .02f, .05f};
  const float earth = v.disc(x, y, .15f, .16f, .115f);
  space = mix(space, mix({.30f, .56f, .95f}, {.95f, .98f, 1.f}, puff(x, y, .12f, .14f, .07f, .05f)), earth);
  Rgb ground = mix({.74f, .74f, .76f}, {.55f, .55f, .58f}, clamp01((y - line) / (1 - line)));
  for (const auto& [crater_x, crater_y, width] :
       {std::array{.10f, .20f, .13f}, {.90f, .16f, .10f}, {.82f, .38f, .16f}, {.16f, .42f, .10f}}) {
    const float dx = (x - crater_x) / width, dy = (y - line - crater_y) / (width * .4f),
                away = std::sqrt(dx * dx + dy * dy);
    ground = mix(ground, {.40f, .40f, .43f}, clamp01((1 - away) * width * .6f / v.pixel + .5f));
  }
  return mix(space, ground, v.below(y, line));
}

template <typename Paint>
void paint(Paint colour, const View& view, const std::array<float, 4>& mood, int side, std::span<float> rgb) {
  const float light = 1 + .09f * mood[1], warm = 1 + .05f * mood[2], cool = 1 - .05f * mood[2];
  float* out = rgb.data();
  for (int row = 0; row < side; ++row) {
    for (int column = 0; column < side; ++column, out += 3) {
      const Rgb c =
          colour(view, (static_cast<float>(column) + .5f) * view.pixel, (static_cast<float>(row) + .5f) * view.pixel);
      out[0] = clamp01(c.r * light * warm);
      out[1] = clamp01(c.g * light);
      out[2] = clamp01(c.b * light * cool);
    }
  }
}

}  // namespace

void paint_background(int background, const std::array<float, 4>& mood, int side, std::span<float> rgb) {
  const View view{.horizon = .48f + .08f * mood[0], .slope = .08f * mood[3], .pixel = 1 / static_cast<float>(side)};
  switch (background) {
    case 0:
      return paint(grass, view, mood, side, rgb);
    case 1:
      return paint(snow, view, mood, side, rgb);
    case 2:
      return paint(beach, view, mood, side, rgb);
    case 3:
      return paint(desert, view, mood, side, rgb);
    case 4:
      return paint(table, view, mood, side, rgb);
    case 5:
      return paint(night, view, mood, side, rgb);
    case 6:
      return paint(sky, view, mood, side, rgb);
    case 7:
      return paint(sunset, view, mood, side, rgb);
    case 8:
      return paint(sea, view, mood, side, rgb);
    default:
      return paint(moon, view, mood, side, rgb);
  }
}

}  // namespace conceptd::world
