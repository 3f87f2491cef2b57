// Drawings: backpack, boot, crown, hat, shirt.
#include "learner/world/shapes.h"

namespace conceptd::world {

Point draw_backpack(Canvas& c, const Form& f) {
  const float half = f(0, .27f, .33f), top = f(1, .13f, .19f), pocket = f(2, .62f, .68f), strap = f(3, .09f, .13f),
              round = f(4, .14f, .26f);
  c.arc(Ink::Second, {.5f, top + .03f}, .12f, .12f, 180, 360, .07f);
  for (const float side : {-1.f, 1.f}) {
    const float x = .5f + side * (half + strap * .35f);
    c.box(Ink::Second, x - strap, .38f, x + strap, .9f, .08f);
  }
  c.box(Ink::First, .5f - half, top, .5f + half, .97f, round);
  c.box(Ink::Second, .5f - half * .7f, pocket, .5f + half * .7f, .91f, .05f);
  c.box(Ink::SecondDeep, .5f - half * .7f, pocket, .5f + half * .7f, pocket + .07f, .03f);
  return {.5f, (top + pocket) / 2 + .01f};
}

Point draw_boot(Canvas& c, const Form& f) {  // toe to the right
  const float leg = f(0, .34f, .42f), toe = f(1, .82f, .94f), instep = f(2, .54f, .62f), sole = f(3, .08f, .12f),
              cuff = f(4, .1f, .15f);
  c.polygon(
      Ink::First,
      {{.14f, .05f}, {.14f + leg, .05f}, {.14f + leg, instep - .06f}, {.14f + leg + .1f, instep + .02f}, {.14f, .92f}});
  c.box(Ink::First, .12f, instep, toe, .96f, .17f);
  c.box(Ink::First, .12f, .6f, .5f, .92f);
  c.box(Ink::Second, .1f, .96f - sole, toe + .03f, .98f, .03f);
  c.box(Ink::Second, .11f, .03f, .17f + leg, .03f + cuff, .04f);
  return {.14f + leg * .52f, .46f};
}

Point draw_crown(Canvas& c, const Form& f) {
  const float wide = f(0, .38f, .44f), side = f(1, .24f, .36f), middle = f(2, .14f, .22f), dip = f(3, .46f, .54f),
              knob = f(4, .06f, .085f);
  c.polygon(Ink::First, {{.5f - wide * .9f, .9f},
                         {.5f - wide - .02f, side},
                         {.5f - wide * .45f, dip},
                         {.5f, middle},
                         {.5f + wide * .45f, dip},
                         {.5f + wide + .02f, side},
                         {.5f + wide * .9f, .9f}});
  c.box(Ink::Second, .5f - wide * .94f, .8f, .5f + wide * .94f, .93f, .03f);
  c.disc(Ink::Second, {.5f - wide - .01f, side - .02f}, knob);
  c.disc(Ink::Second, {.5f, middle - .02f}, knob);
  c.disc(Ink::Second, {.5f + wide + .01f, side - .02f}, knob);
  return {.5f, .62f};
}

Point draw_hat(Canvas& c, const Form& f) {
  const float half = f(0, .22f, .29f), top = f(1, .1f, .24f), brim = f(2, .41f, .485f), band = f(3, .1f, .16f),
              flare = f(4, -.04f, .05f);
  c.polygon(Ink::First, {{.5f - half - flare, top}, {.5f + half + flare, top}, {.5f + half, .8f}, {.5f - half, .8f}});
  c.box(Ink::Second, .5f - half - .005f, .74f - band, .5f + half + .005f, .76f);
  c.ellipse(Ink::First, {.5f, .81f}, brim, .085f);
  return {.5f, (top + .74f - band) / 2 + .02f};
}

Point draw_shirt(Canvas& c, const Form& f) {
  const float half = f(0, .23f, .29f), hem = f(1, .88f, .97f), sleeve = f(2, .4f, .52f), neck = f(3, .1f, .14f),
              depth = f(4, .15f, .24f);
  const float cuff = .5f - sleeve * .1f;
  for (const float side : {-1.f, 1.f}) {
    const auto x = [&](float away) { return .5f + side * away; };
    c.polygon(
        Ink::First,
        {{x(.1f), .06f}, {x(half), .1f}, {x(.49f), sleeve - .08f}, {x(.37f), sleeve + .08f}, {x(half - .02f), .38f}});
    c.line(Ink::Second, {{x(.465f), sleeve - .08f}, {x(.375f), sleeve + .05f}}, .085f);
  }
  c.box(Ink::First, .5f - half, .08f, .5f + half, hem, .04f);
  c.box(Ink::Second, .5f - half, hem - .075f, .5f + half, hem, .03f);
  c.polygon(Ink::Second, {{.5f - neck - .04f, .06f}, {.5f + neck + .04f, .06f}, {.5f, .06f + depth + .06f}});
  c.polygon(Ink::SecondDeep, {{.5f - neck + .03f, .06f}, {.5f + neck - .03f, .06f}, {.5f, .02f + depth}});
  return {.5f, cuff + .1f};
}

}  // namespace conceptd::world
