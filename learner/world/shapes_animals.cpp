// Drawings: bird, butterfly, cat, duck, fish, snail.
#include "learner/world/shapes.h"

namespace conceptd::world {

Point draw_bird(Canvas& c, const Form& f) {  // in flight, to the right
  const float body = f(0, .18f, .23f), wing = f(1, .0f, .1f), tail = f(2, .0f, .08f), head = f(3, .15f, .18f);
  const float lean = f(4, -.08f, .06f);
  c.polygon(Ink::Second, {{.26f, .58f}, {.08f - tail, .46f}, {.04f, .6f}, {.07f - tail / 2, .76f}, {.28f, .72f}});
  c.polygon(Ink::Second, {{.84f, .38f}, {1.f, .47f}, {.84f, .55f}});
  c.ellipse(Ink::First, {.47f, .66f}, .34f, body, -12);
  c.disc(Ink::First, {.74f, .46f}, head);
  c.polygon(Ink::First, {{.56f, .48f}, {.7f, .6f}, {.55f, .7f}});
  c.polygon(Ink::Second, {{.28f, .62f},
                          {.06f + lean, .2f - wing},
                          {.3f + lean, .14f - wing},
                          {.48f + lean / 2, .26f - wing / 2},
                          {.6f, .56f}});
  c.disc(Ink::Dark, {.78f, .43f}, .04f);
  return {.5f, .67f};
}

Point draw_butterfly(Canvas& c, const Form& f) {
  const float upper = f(0, .2f, .25f), lower = f(1, .14f, .19f), spread = f(2, .24f, .28f), droop = f(3, .68f, .76f),
              point = f(4, 0, 25);
  for (const float side : {-1.f, 1.f}) {
    c.line(Ink::Dark, {{.5f, .25f}, {.5f + side * .13f, .06f}}, .05f);
    c.ellipse(Ink::Second, {.5f + side * spread * .8f, droop}, lower, lower * 1.2f, side * -30);
    c.ellipse(Ink::First, {.5f + side * spread, .36f}, upper, upper * 1.12f, side * (20 + point));
  }
  c.ellipse(Ink::Dark, {.5f, .52f}, .06f, .32f);
  return {.5f - spread, .36f};
}

Point draw_cat(Canvas& c, const Form& f) {  // sitting, from the front
  const float head = f(0, .2f, .24f), body = f(1, .25f, .31f), ear = f(2, .13f, .19f), tail = f(3, .0f, .12f),
              y = f(4, .29f, .33f);
  c.line(Ink::Second, {{.62f, .88f}, {.84f, .87f}, {.92f, .74f}, {.88f, .62f - tail}}, .1f);
  c.profile(Ink::First, {{.1f, .38f}, {body * .75f, .55f}, {body, .82f}, {body * .8f, .97f}}, true);
  for (const float side : {-1.f, 1.f}) {
    c.polygon(Ink::First, {{.5f + side * head, y},
                           {.5f + side * (head + .01f), y - head * .5f - ear},
                           {.5f + side * .03f, y - head * .7f}});
    c.polygon(Ink::Second, {{.5f + side * (head - .05f), y - .08f},
                            {.5f + side * (head - .03f), y - head * .5f - ear + .08f},
                            {.5f + side * .07f, y - head * .7f}});
  }
  c.ellipse(Ink::First, {.5f, y}, head * 1.12f, head * .92f);
  c.ellipse(Ink::Second, {.5f, y + head * .45f}, head * .5f, head * .36f);
  for (const float side : {-1.f, 1.f}) c.ellipse(Ink::Dark, {.5f + side * head * .52f, y - .02f}, .035f, .05f);
  c.disc(Ink::Dark, {.5f, y + head * .28f}, .03f);
  return {.5f, .76f};
}

Point draw_duck(Canvas& c, const Form& f) {  // swimming, to the right
  const float head = f(0, .17f, .205f), neck = f(1, .26f, .32f), body = f(2, .22f, .27f), bill = f(3, .1f, .17f),
              tail = f(4, .42f, .52f);
  const float x = .67f;
  c.blob(Ink::First, {{.02f, tail},
                      {.2f, .58f},
                      {.5f, .55f},
                      {.72f, .42f},
                      {.9f, .62f},
                      {.8f, .7f + body * .8f},
                      {.45f, .74f + body * .8f},
                      {.12f, .66f + body * .5f}});
  c.box(Ink::First, x - .13f, neck, x + .15f, .65f, .1f);
  c.ellipse(Ink::Second, {x + head + bill * .45f, neck + .04f}, bill, .065f, 8);
  c.disc(Ink::First, {x, neck}, head);
  c.ellipse(Ink::Second, {.3f, .68f}, .15f, .1f, -15);
  c.disc(Ink::Dark, {x + .05f, neck - .05f}, .04f);
  return {.6f, .75f};
}

Point draw_fish(Canvas& c, const Form& f) {  // to the left
  const float half = f(0, .2f, .29f), tail = f(1, .17f, .26f), fin = f(2, .08f, .16f), notch = f(3, .84f, .93f),
              nose = f(4, .0f, .08f);
  c.polygon(Ink::Second, {{.64f, .52f}, {.98f, .52f - tail}, {notch, .52f}, {.98f, .52f + tail}});
  c.polygon(Ink::Second, {{.28f, .56f - half * .8f}, {.5f, .5f - half - fin}, {.62f, .54f - half * .6f}});
  c.polygon(Ink::Second, {{.4f, .48f + half * .8f}, {.58f, .52f + half + fin * .7f}, {.6f, .5f + half * .6f}});
  c.blob(Ink::First, {{.02f, .52f},
                      {.16f - nose, .52f - half * .7f},
                      {.4f, .52f - half},
                      {.66f, .52f - half * .5f},
                      {.78f, .52f},
                      {.66f, .52f + half * .5f},
                      {.4f, .52f + half},
                      {.16f - nose, .52f + half * .7f}});
  c.disc(Ink::Light, {.18f, .46f}, .06f);
  c.disc(Ink::Dark, {.17f, .46f}, .035f);
  return {.49f, .53f};
}

Point draw_snail(Canvas& c, const Form& f) {  // held out; crawling to the right
  const float shell = f(0, .28f, .34f), neck = f(1, .4f, .52f), eye = f(2, .04f, .055f), spread = f(3, .06f, .11f);
  c.line(Ink::Second, {{.82f, neck + .06f}, {.82f - spread, neck - .2f}}, .055f);
  c.line(Ink::Second, {{.84f, neck + .06f}, {.86f + spread * .8f, neck - .18f}}, .055f);
  c.blob(Ink::Second, {{.02f, .9f},
                       {.3f, .78f},
                       {.68f, .76f},
                       {.74f, neck},
                       {.86f, neck - .04f},
                       {.94f, neck + .08f},
                       {.88f, .84f},
                       {.76f, .93f},
                       {.3f, .94f}});
  c.disc(Ink::First, {.4f, .52f}, shell);
  c.arc(Ink::Second, {.4f, .52f}, shell * .62f, shell * .62f, 20, 300, .055f);
  c.arc(Ink::Second, {.44f, .52f}, shell * .24f, shell * .24f, -60, 160, .05f);
  c.disc(Ink::Dark, {.82f - spread, neck - .2f}, eye);
  c.disc(Ink::Dark, {.86f + spread * .8f, neck - .18f}, eye);
  return {.4f, .52f};
}

}  // namespace conceptd::world
