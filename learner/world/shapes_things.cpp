// Drawings: ball, book, clock, key, robot, anchor, guitar.
#include <cmath>

#include "learner/world/shapes.h"

namespace conceptd::world {

Point draw_ball(Canvas& c, const Form& f) {
  const float radius = f(0, .38f, .47f), band = f(1, .1f, .2f), y = f(2, -.1f, .1f), tilt = f(3, -30, 30),
              bend = f(4, -.1f, .1f);
  c.disc(Ink::First, {.5f, .5f}, radius);
  std::vector<Point> stripe;  // a band around the ball, cut to the circle by construction
  constexpr int kSteps = 16;
  const float turn = tilt * 3.14159265f / 180;
  for (const float edge : {-1.f, 1.f}) {
    for (int i = 0; i <= kSteps; ++i) {
      const float u = edge * (2.f * static_cast<float>(i) / kSteps - 1);
      const float limit = std::sqrt(std::fmax(0.f, 1 - u * u));
      const float v = std::fmax(-limit, std::fmin(limit, (y + bend * (1 - u * u) - edge * band * .5f) / radius));
      const float x = radius * u * std::cos(turn) - radius * v * std::sin(turn);
      stripe.push_back({.5f + x, .5f + radius * u * std::sin(turn) + radius * v * std::cos(turn)});
    }
  }
  c.polygon(Ink::Second, stripe);
  return {.5f, .5f};
}

Point draw_book(Canvas& c, const Form& f) {
  const float half = f(0, .31f, .38f), top = f(1, .03f, .1f), spine = f(2, .11f, .17f), pages = f(3, .07f, .11f),
              mark = f(4, .5f, .68f);
  c.box(Ink::First, .5f - half, top, .5f + half, .97f, .03f);
  c.box(Ink::Light, .5f - half + .1f, .94f - pages, .5f + half, .94f);
  c.box(Ink::Second, .5f - half, top, .5f - half + spine, .97f, .03f);
  c.polygon(Ink::Second, {{mark, .94f - pages - .02f},
                          {mark + .1f, .94f - pages - .02f},
                          {mark + .1f, 1.f},
                          {mark + .05f, .96f},
                          {mark, 1.f}});
  return {.5f + spine / 2, (top + .94f - pages) / 2};
}

Point draw_clock(Canvas& c, const Form& f) {  // with two bells
  const float radius = f(0, .34f, .385f), rim = f(1, .055f, .08f), bell = f(2, .11f, .145f), hour = f(3, -150, -100),
              minute = f(4, -80, -20);
  const Point middle{.5f, .56f};
  for (const float side : {-1.f, 1.f}) {
    c.line(Ink::Dark, {{.5f + side * .2f, .8f}, {.5f + side * .31f, .95f}}, .08f);
    c.disc(Ink::Second, {.5f + side * .26f, .19f}, bell);
  }
  c.disc(Ink::Second, middle, radius + .035f);
  c.disc(Ink::First, middle, radius + .035f - rim);
  const auto hand = [&](float angle_deg, float length) {
    const float angle = angle_deg * 3.14159265f / 180;
    c.line(Ink::Dark, {middle, {middle.x + length * std::cos(angle), middle.y + length * std::sin(angle)}}, .065f);
  };
  hand(hour, radius * .55f);
  hand(minute, radius * .72f);
  return {.5f, .72f};
}

Point draw_key(Canvas& c, const Form& f) {
  const float bow = f(0, .25f, .3f), shaft = f(1, .06f, .085f), tooth = f(2, .16f, .26f), second = f(3, .12f, .2f),
              gap = f(4, .7f, .76f);
  c.box(Ink::Second, .5f - shaft, .4f, .5f + shaft, .98f, .03f);
  c.box(Ink::Second, .5f, .87f, .5f + shaft + tooth, .98f);
  c.box(Ink::Second, .5f, gap - .04f, .5f + shaft + second, gap + .06f);
  c.disc(Ink::First, {.5f, .03f + bow}, bow);
  c.disc(Ink::None, {.5f, .14f}, .07f);
  return {.5f, .07f + bow * 1.25f};
}

Point draw_robot(Canvas& c, const Form& f) {
  const float head = f(0, .19f, .25f), chest = f(1, .25f, .31f), neck = f(2, .4f, .45f), arm = f(3, .05f, .065f),
              eye = f(4, .05f, .07f);
  c.box(Ink::Dark, .47f, .05f, .53f, .2f);
  c.disc(Ink::Second, {.5f, .06f}, .06f);
  for (const float side : {-1.f, 1.f}) {
    c.line(Ink::Second, {{.5f + side * chest, neck + .12f}, {.5f + side * (chest + .12f), .72f}}, arm * 2);
    c.box(Ink::Second, .5f + side * .15f - .085f, .8f, .5f + side * .15f + .085f, .98f);
  }
  c.box(Ink::First, .5f - chest, neck, .5f + chest, .86f, .04f);
  c.box(Ink::Second, .5f - head, .14f, .5f + head, neck - .02f, .04f);
  for (const float side : {-1.f, 1.f}) c.disc(Ink::Light, {.5f + side * head * .48f, .25f}, eye);
  for (const float side : {-1.f, 1.f}) c.disc(Ink::Dark, {.5f + side * head * .48f, .25f}, eye * .5f);
  return {.5f, (neck + .86f) / 2};
}

Point draw_anchor(Canvas& c, const Form& f) {  // held out
  const float ring = f(0, .09f, .12f), bar = f(1, .2f, .28f), reach = f(2, .32f, .38f), shaft = f(3, .15f, .18f),
              fluke = f(4, .1f, .14f);
  c.arc(Ink::Second, {.5f, .13f}, ring, ring, 0, 360, .075f);
  c.arc(Ink::First, {.5f, .5f}, reach, .38f, 0, 180, .14f);
  for (const float side : {-1.f, 1.f}) {
    const float x = .5f + side * reach;
    c.polygon(Ink::First, {{x - fluke, .56f}, {x, .38f}, {x + fluke, .56f}});
  }
  c.box(Ink::First, .5f - shaft / 2, .2f, .5f + shaft / 2, .93f);
  c.box(Ink::Second, .5f - bar, .27f, .5f + bar, .38f, .04f);
  return {.5f, .6f};
}

Point draw_guitar(Canvas& c, const Form& f) {  // held out
  const float low = f(0, .28f, .34f), high = f(1, .2f, .25f), neck = f(2, .045f, .065f), hole = f(3, .07f, .09f),
              head = f(4, .08f, .11f);
  c.box(Ink::Second, .5f - head, .02f, .5f + head, .16f, .03f);
  c.disc(Ink::First, {.5f, .52f}, high);
  c.ellipse(Ink::First, {.5f, .75f}, low, .23f);
  c.box(Ink::Second, .5f - neck, .1f, .5f + neck, .56f);
  c.disc(Ink::Dark, {.5f, .58f}, hole);
  c.box(Ink::Dark, .38f, .85f, .62f, .9f);
  return {.5f, .75f};
}

}  // namespace conceptd::world
