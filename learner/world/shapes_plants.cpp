// Drawings: apple, cactus, flower, mushroom, tree.
#include <cmath>

#include "learner/world/shapes.h"

namespace conceptd::world {

Point draw_apple(Canvas& c, const Form& f) {
  const float wide = f(0, .37f, .45f), top = f(1, .24f, .31f), waist = f(2, .24f, .31f), leaf = f(3, .11f, .17f),
              lean = f(4, -.06f, .04f);
  c.line(Ink::Dark, {{.5f, .36f}, {.5f + lean, .12f}}, .075f);
  c.ellipse(Ink::Second, {.5f + leaf * 1.1f, .15f}, leaf, leaf * .5f, -28);
  c.blob(Ink::First, {{.5f, top + .09f},
                      {.5f + wide * .5f, top},
                      {.5f + wide, .5f},
                      {.5f + waist * 1.3f, .82f},
                      {.5f + waist * .55f, .97f},
                      {.5f, .94f},
                      {.5f - waist * .55f, .97f},
                      {.5f - waist * 1.3f, .82f},
                      {.5f - wide, .5f},
                      {.5f - wide * .5f, top}});
  return {.5f, .6f};
}

Point draw_cactus(Canvas& c, const Form& f) {
  const float half = f(0, .14f, .175f), left = f(1, .3f, .42f), right = f(2, .22f, .36f), arm = f(3, .13f, .16f),
              pot = f(4, .22f, .3f);
  c.line(Ink::First, {{.42f, left + .2f}, {.15f, left + .2f}, {.15f, left - .06f}}, arm);
  c.line(Ink::First, {{.58f, right + .28f}, {.85f, right + .28f}, {.85f, right}}, arm);
  c.box(Ink::First, .5f - half, .03f, .5f + half, .8f, half);
  c.polygon(Ink::Second, {{.5f - pot, .72f}, {.5f + pot, .72f}, {.5f + pot * .75f, .98f}, {.5f - pot * .75f, .98f}});
  c.box(Ink::SecondDeep, .5f - pot - .03f, .7f, .5f + pot + .03f, .77f);
  return {.5f, .36f};
}

Point draw_flower(Canvas& c, const Form& f) {
  const float petal = f(0, .125f, .155f), reach = f(1, .2f, .235f), heart = f(2, .13f, .17f), leaf = f(3, .12f, .18f),
              turn = f(4, 0, 60);
  c.box(Ink::Second, .46f, .5f, .54f, .98f);
  c.ellipse(Ink::Second, {.5f - leaf, .82f}, leaf, leaf * .45f, 30);
  c.ellipse(Ink::Second, {.5f + leaf, .86f}, leaf, leaf * .45f, -30);
  for (int i = 0; i < 6; ++i) {
    const float angle = (turn + 60.f * static_cast<float>(i)) * 3.14159265f / 180;
    c.disc(Ink::First, {.5f + reach * std::cos(angle), .37f + reach * std::sin(angle)}, petal);
  }
  c.disc(Ink::First, {.5f, .37f}, reach);
  c.disc(Ink::Second, {.5f, .37f}, heart);
  return {.5f, .37f};
}

Point draw_mushroom(Canvas& c, const Form& f) {
  const float wide = f(0, .4f, .48f), top = f(1, .06f, .18f), rim = f(2, .54f, .6f), stem = f(3, .13f, .19f),
              foot = f(4, .0f, .06f);
  c.profile(Ink::Second, {{stem, .5f}, {stem, .75f}, {stem + foot + .02f, .93f}, {stem * .7f, .98f}}, true);
  c.profile(Ink::First,
            {{.0f, top},
             {wide * .55f, top + .05f},
             {wide * .95f, rim - .14f},
             {wide, rim},
             {wide * .6f, rim + .06f},
             {.0f, rim + .05f}},
            true);
  return {.5f, (top + rim) / 2 + .02f};
}

Point draw_tree(Canvas& c, const Form& f) {  // a fir of three tiers
  const float wide = f(0, .38f, .47f), taper = f(1, .6f, .8f), trunk = f(2, .07f, .11f), foot = f(3, .8f, .86f),
              dent = f(4, .5f, .66f);
  c.box(Ink::Second, .5f - trunk, foot - .05f, .5f + trunk, .98f);
  const float low = wide, middle = wide * (taper + .12f), high = wide * taper * .75f;
  c.profile(Ink::First,
            {{.0f, .02f}, {high, .32f}, {high * dent, .32f}, {middle, .58f}, {middle * dent, .58f}, {low, foot}},
            false);
  return {.5f, .6f};
}

}  // namespace conceptd::world
