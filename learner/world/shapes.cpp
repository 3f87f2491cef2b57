// The table of drawings, in the order of shape_words().
#include "learner/world/shapes.h"

namespace conceptd::world {

Draw drawing(std::size_t shape) {
  static constexpr std::array<Draw, kShapes> kDrawings{
      draw_apple,  draw_backpack,  draw_ball,     draw_bell,  draw_bird,    draw_boat,   draw_book,  draw_boot,
      draw_bottle, draw_butterfly, draw_cactus,   draw_car,   draw_cat,     draw_clock,  draw_crown, draw_duck,
      draw_fish,   draw_flower,    draw_goblet,   draw_hat,   draw_house,   draw_kettle, draw_key,   draw_kite,
      draw_lamp,   draw_mug,       draw_mushroom, draw_robot, draw_rocket,  draw_shirt,  draw_tree,  draw_umbrella,
      draw_vase,   draw_anchor,    draw_guitar,   draw_snail, draw_windmill};
  return kDrawings.at(shape);
}

}  // namespace conceptd::world
