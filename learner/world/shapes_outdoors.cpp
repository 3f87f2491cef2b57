// Drawings: boat, car, house, kite, rocket, umbrella, windmill.
#include <cmath>

#include "learner/world/shapes.h"

namespace conceptd::world {

Point draw_boat(Canvas& c, const Form& f) {
  const float deck = f(0, .58f, .64f), keel = f(1, .24f, .34f), mast = f(2, .42f, .52f), sail = f(3, .86f, .96f),
              jib = f(4, .12f, .22f);
  c.box(Ink::Dark, mast - .03f, .03f, mast + .03f, deck + .05f);
  c.polygon(Ink::Second, {{mast + .03f, .04f}, {sail, deck - .06f}, {mast + .03f, deck - .06f}});
  c.polygon(Ink::Second, {{mast - .03f, .14f}, {mast - .03f, deck - .06f}, {jib - .02f, deck - .06f}});
  c.polygon(Ink::First, {{.02f, deck}, {.98f, deck}, {.5f + keel + .06f, .97f}, {.5f - keel, .97f}});
  return {.5f, (deck + .97f) / 2};
}

Point draw_car(Canvas& c, const Form& f) {
  const float roof = f(0, .18f, .28f), front = f(1, .14f, .22f), back = f(2, .78f, .86f), wheel = f(3, .11f, .145f),
              hood = f(4, .44f, .5f);
  c.polygon(Ink::Second, {{front, hood + .02f}, {front + .14f, roof}, {back - .12f, roof}, {back, hood + .02f}});
  c.polygon(Ink::Glass, {{front + .1f, hood}, {front + .18f, roof + .07f}, {.46f, roof + .07f}, {.46f, hood}});
  c.polygon(Ink::Glass, {{.54f, hood}, {.54f, roof + .07f}, {back - .16f, roof + .07f}, {back - .08f, hood}});
  c.box(Ink::First, .01f, hood, .99f, .8f, .1f);
  for (const float x : {.24f, .76f}) {
    c.disc(Ink::Dark, {x, .8f}, wheel);
    c.disc(Ink::Light, {x, .8f}, wheel * .42f);
  }
  return {.5f, .63f};
}

Point draw_house(Canvas& c, const Form& f) {
  const float half = f(0, .33f, .4f), eave = f(1, .42f, .5f), peak = f(2, .03f, .14f), door = f(3, .09f, .12f),
              chimney = f(4, .6f, .72f);
  c.box(Ink::SecondDeep, chimney, .08f, chimney + .13f, .4f);
  c.box(Ink::First, .5f - half, eave - .02f, .5f + half, .97f);
  c.polygon(Ink::Second, {{.5f, peak}, {.5f + half + .09f, eave + .03f}, {.5f - half - .09f, eave + .03f}});
  const float x = .5f - half + .08f + door;
  c.box(Ink::Dark, x - door, .66f, x + door, .97f);
  return {.5f + half * .4f, .72f};
}

Point draw_kite(Canvas& c, const Form& f) {
  const float half = f(0, .34f, .44f), cross = f(1, .25f, .36f), foot = f(2, .7f, .78f), sway = f(3, -.1f, .1f),
              bow = f(4, .065f, .09f);
  c.line(Ink::Second, {{.5f, foot}, {.5f + sway, foot + .12f}, {.5f, .97f}}, .05f);
  for (const float side : {-1.f, 1.f}) {
    c.polygon(Ink::Second, {{.5f + sway * .9f, foot + .13f},
                            {.5f + sway * .9f + side * bow * 1.7f, foot + .13f - bow},
                            {.5f + sway * .9f + side * bow * 1.7f, foot + .13f + bow}});
  }
  c.polygon(Ink::First, {{.5f, .02f}, {.5f + half, cross}, {.5f, foot}, {.5f - half, cross}});
  c.polygon(Ink::Second,
            {{.5f, .02f}, {.53f, .06f}, {.53f, foot - .04f}, {.5f, foot}, {.47f, foot - .04f}, {.47f, .06f}});
  c.polygon(Ink::Second, {{.5f - half, cross},
                          {.5f - half + .06f, cross - .04f},
                          {.5f + half - .06f, cross - .04f},
                          {.5f + half, cross},
                          {.5f + half - .04f, cross + .03f},
                          {.5f - half + .04f, cross + .03f}});
  return {.5f, cross + .08f};
}

Point draw_rocket(Canvas& c, const Form& f) {
  const float half = f(0, .17f, .22f), fin = f(1, .32f, .44f), nose = f(2, .26f, .34f), port = f(3, .075f, .095f),
              root = f(4, .54f, .64f);
  c.profile(Ink::Light, {{half * .6f, .82f}, {half * .45f, .9f}, {.0f, .99f}}, false);
  for (const float side : {-1.f, 1.f}) {
    c.polygon(Ink::Second, {{.5f + side * half * .8f, root},
                            {.5f + side * fin, .8f},
                            {.5f + side * fin, .95f},
                            {.5f + side * half * .5f, .84f}});
  }
  c.blob(Ink::First, {{.5f, .02f},
                      {.5f + half * .7f, .16f},
                      {.5f + half, .4f},
                      {.5f + half, .65f},
                      {.5f + half * .7f, .85f},
                      {.5f - half * .7f, .85f},
                      {.5f - half, .65f},
                      {.5f - half, .4f},
                      {.5f - half * .7f, .16f}});
  c.blob(Ink::Second, {{.5f, .015f},
                       {.5f + half * .7f, .155f},
                       {.5f + half * .92f, nose - .03f},
                       {.5f, nose - .01f},
                       {.5f - half * .92f, nose - .03f},
                       {.5f - half * .7f, .155f}});
  c.disc(Ink::Light, {.5f, nose + .11f}, port);
  c.disc(Ink::Dark, {.5f, nose + .11f}, port * .62f);
  return {.5f, .64f};
}

Point draw_umbrella(Canvas& c, const Form& f) {
  const float wide = f(0, .42f, .48f), top = f(1, .05f, .14f), hem = f(2, .48f, .55f), hook = f(3, .08f, .12f),
              sag = f(4, .06f, .11f);
  c.box(Ink::Second, .465f, .02f, .535f, .86f);
  c.arc(Ink::Second, {.5f + hook, .85f}, hook, hook, 0, 180, .07f);
  std::vector<Point> dome;
  constexpr int kSteps = 24;
  for (int i = 0; i <= kSteps; ++i) {
    const float angle = 3.14159265f * static_cast<float>(i) / kSteps;
    dome.push_back({.5f - wide * std::cos(angle), hem - (hem - top) * std::sin(angle)});
  }
  for (int i = 0; i <= kSteps; ++i) {  // three scallops
    const float x = wide - 2 * wide * static_cast<float>(i) / kSteps;
    dome.push_back({.5f + x, hem - sag * std::fabs(std::sin(3 * 3.14159265f * static_cast<float>(i) / kSteps))});
  }
  c.polygon(Ink::First, dome);
  return {.5f, top + (hem - top) * .5f};
}

Point draw_windmill(Canvas& c, const Form& f) {  // held out
  const float half = f(0, .2f, .26f), top = f(1, .12f, .16f), blade = f(2, .13f, .17f), turn = f(3, 15, 75),
              cap = f(4, .14f, .2f);
  c.polygon(Ink::First, {{.5f - top, .36f}, {.5f + top, .36f}, {.5f + half, .98f}, {.5f - half, .98f}});
  c.polygon(Ink::FirstDeep, {{.5f - top - .04f, .38f}, {.5f, .38f - cap}, {.5f + top + .04f, .38f}});
  for (int i = 0; i < 4; ++i) {
    const float angle = (turn + 90.f * static_cast<float>(i)) * 3.14159265f / 180, x = std::cos(angle),
                y = std::sin(angle);
    const auto at = [&](float along, float across) {
      return Point{.5f + along * x - across * y, .35f + along * y + across * x};
    };
    c.polygon(Ink::Second,
              {at(.04f, -.03f), at(.4f, -.03f), at(.4f, blade - .03f), at(.12f, blade - .03f), at(.04f, .03f)});
  }
  c.disc(Ink::Dark, {.5f, .35f}, .06f);
  return {.5f, .72f};
}

}  // namespace conceptd::world
