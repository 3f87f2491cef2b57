// The drawings: one function a shape word. Each draws in its box and answers where the middle of its body is: a badge
// goes there.
#pragma once
#include <array>

#include "learner/world/canvas.h"

namespace conceptd::world {

// Proportions of one instance: form(0, .2f, .4f) is its first number, -1..1, laid over .2..(.4).
struct Form {
  const std::array<float, 6>& values;
  float operator()(std::size_t index, float low, float high) const {
    return low + (high - low) * (values[index] + 1) / 2;
  }
};

inline constexpr std::size_t kShapes = 37;
using Draw = Point (*)(Canvas&, const Form&);

Draw drawing(std::size_t shape);  // in the order of shape_words()

// clang-format off
Point draw_apple(Canvas&, const Form&);        Point draw_backpack(Canvas&, const Form&);
Point draw_ball(Canvas&, const Form&);         Point draw_bell(Canvas&, const Form&);
Point draw_bird(Canvas&, const Form&);         Point draw_boat(Canvas&, const Form&);
Point draw_book(Canvas&, const Form&);         Point draw_boot(Canvas&, const Form&);
Point draw_bottle(Canvas&, const Form&);       Point draw_butterfly(Canvas&, const Form&);
Point draw_cactus(Canvas&, const Form&);       Point draw_car(Canvas&, const Form&);
Point draw_cat(Canvas&, const Form&);          Point draw_clock(Canvas&, const Form&);
Point draw_crown(Canvas&, const Form&);        Point draw_duck(Canvas&, const Form&);
Point draw_fish(Canvas&, const Form&);         Point draw_flower(Canvas&, const Form&);
Point draw_goblet(Canvas&, const Form&);       Point draw_hat(Canvas&, const Form&);
Point draw_house(Canvas&, const Form&);        Point draw_kettle(Canvas&, const Form&);
Point draw_key(Canvas&, const Form&);          Point draw_kite(Canvas&, const Form&);
Point draw_lamp(Canvas&, const Form&);         Point draw_mug(Canvas&, const Form&);
Point draw_mushroom(Canvas&, const Form&);     Point draw_robot(Canvas&, const Form&);
Point draw_rocket(Canvas&, const Form&);       Point draw_shirt(Canvas&, const Form&);
Point draw_tree(Canvas&, const Form&);         Point draw_umbrella(Canvas&, const Form&);
Point draw_vase(Canvas&, const Form&);         Point draw_anchor(Canvas&, const Form&);
Point draw_guitar(Canvas&, const Form&);       Point draw_snail(Canvas&, const Form&);
Point draw_windmill(Canvas&, const Form&);
// clang-format on

}  // namespace conceptd::world
