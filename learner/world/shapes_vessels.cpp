// Drawings: bell, bottle, goblet, kettle, lamp, mug, vase.
#include "learner/world/shapes.h"

namespace conceptd::world {

Point draw_bell(Canvas& c, const Form& f) {
  const float flare = f(0, .4f, .48f), waist = f(1, .22f, .3f), top = f(2, .13f, .2f), clapper = f(3, .085f, .12f),
              hem = f(4, .06f, .1f);
  c.disc(Ink::Second, {.5f, .09f}, .075f);
  c.disc(Ink::Second, {.5f, .88f}, clapper);
  c.polygon(Ink::First, {{.5f - .1f, top},
                         {.5f + .1f, top},
                         {.5f + waist * .8f, top + .1f},
                         {.5f + waist, .35f},
                         {.5f + waist + .04f, .6f},
                         {.5f + flare, .84f},
                         {.5f - flare, .84f},
                         {.5f - waist - .04f, .6f},
                         {.5f - waist, .35f},
                         {.5f - waist * .8f, top + .1f}});
  c.box(Ink::Second, .5f - flare - .02f, .84f - hem, .5f + flare + .02f, .85f, .04f);
  return {.5f, .48f};
}

Point draw_bottle(Canvas& c, const Form& f) {
  const float half = f(0, .18f, .245f), neck = f(1, .075f, .105f), shoulder = f(2, .36f, .48f), cap = f(3, .1f, .15f),
              base = f(4, .06f, .1f);
  c.profile(Ink::First,
            {{neck, .06f},
             {neck, shoulder - .16f},
             {half * .8f, shoulder - .05f},
             {half, shoulder + .04f},
             {half, .94f},
             {half - .04f, .985f}},
            false);
  c.box(Ink::Second, .5f - neck - .025f, .015f, .5f + neck + .025f, .015f + cap, .02f);
  c.polygon(Ink::Second, {{.5f - half, .93f - base},
                          {.5f + half, .93f - base},
                          {.5f + half, .94f},
                          {.5f + half - .04f, .985f},
                          {.5f - half + .04f, .985f},
                          {.5f - half, .94f}});
  return {.5f, .62f};
}

Point draw_goblet(Canvas& c, const Form& f) {
  const float wide = f(0, .29f, .38f), deep = f(1, .5f, .58f), stem = f(2, .045f, .07f), foot = f(3, .2f, .29f),
              belly = f(4, .7f, 1.f);
  c.box(Ink::Second, .5f - stem, deep - .04f, .5f + stem, .93f);
  c.profile(Ink::Second, {{stem, .82f}, {foot, .92f}, {foot, .98f}}, false);
  c.profile(Ink::First,
            {{wide, .03f},
             {wide, .2f},
             {wide * (.75f + .2f * belly), .36f},
             {wide * .62f * belly, deep - .03f},
             {.06f, deep + .03f}},
            false);
  c.box(Ink::Second, .5f - wide - .015f, .03f, .5f + wide + .015f, .1f);
  return {.5f, .28f};
}

Point draw_kettle(Canvas& c, const Form& f) {
  const float wide = f(0, .3f, .36f), top = f(1, .38f, .46f), loop = f(2, .2f, .27f), spout = f(3, .36f, .46f),
              knob = f(4, .05f, .07f);
  c.polygon(Ink::Second,
            {{.5f - wide * .7f, .82f}, {.04f, spout + .03f}, {.14f, spout - .05f}, {.5f - wide * .6f, .56f}});
  c.arc(Ink::Second, {.52f, top + .06f}, loop + .05f, top - .02f, 180, 360, .085f);
  c.profile(
      Ink::First,
      {{wide * .5f, top}, {wide * .85f, top + .12f}, {wide * 1.12f, .7f}, {wide * 1.1f, .9f}, {wide * .95f, .95f}},
      false, .52f);
  c.ellipse(Ink::Second, {.52f, top}, wide * .6f, .055f);
  c.disc(Ink::Second, {.52f, top - .05f}, knob);
  return {.52f, .7f};
}

Point draw_lamp(Canvas& c, const Form& f) {
  const float wide = f(0, .36f, .45f), top = f(1, .16f, .25f), hem = f(2, .5f, .58f), stem = f(3, .045f, .07f),
              foot = f(4, .2f, .28f);
  c.box(Ink::Second, .5f - stem, hem - .02f, .5f + stem, .94f);
  c.profile(Ink::Second, {{.08f, .84f}, {foot, .92f}, {foot, .98f}}, false);
  c.polygon(Ink::First, {{.5f - top, .03f}, {.5f + top, .03f}, {.5f + wide, hem}, {.5f - wide, hem}});
  return {.5f, hem * .56f};
}

Point draw_mug(Canvas& c, const Form& f) {
  const float half = f(0, .27f, .33f), top = f(1, .08f, .2f), taper = f(2, -.03f, .05f), ear = f(3, .15f, .2f),
              thick = f(4, .075f, .1f);
  const float middle = .38f, y = (top + .96f) / 2;
  c.arc(Ink::Second, {middle + half - .02f, y}, .02f + ear, ear * 1.15f, -95, 95, thick);
  c.polygon(Ink::First, {{middle - half, top},
                         {middle + half, top},
                         {middle + half - taper, .9f},
                         {middle + half - taper - .06f, .96f},
                         {middle - half + taper + .06f, .96f},
                         {middle - half + taper, .9f}});
  c.ellipse(Ink::SecondDeep, {middle, top + .01f}, half, .055f);
  return {middle, y + .02f};
}

Point draw_vase(Canvas& c, const Form& f) {  // two-handled
  const float belly = f(0, .28f, .34f), neck = f(1, .1f, .14f), lip = f(2, .19f, .26f), y = f(3, .5f, .6f),
              foot = f(4, .14f, .2f);
  for (const float side : {-1.f, 1.f})
    c.arc(Ink::Second, {.5f + side * neck, .32f}, .2f, .15f, side > 0 ? -90.f : 90.f, side > 0 ? 90.f : 270.f, .07f);
  c.profile(Ink::First,
            {{lip, .03f},
             {lip - .02f, .09f},
             {neck, .16f},
             {neck, .27f},
             {belly * .8f, y - .16f},
             {belly, y},
             {belly * .85f, y + .17f},
             {foot, .92f},
             {foot, .98f}},
            false);
  c.box(Ink::Second, .5f - lip, .02f, .5f + lip, .09f);
  c.profile(Ink::Second, {{foot, .9f}, {foot + .04f, .98f}}, false);
  return {.5f, y};
}

}  // namespace conceptd::world
