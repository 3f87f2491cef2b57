// Backgrounds: smooth and nearly deterministic, so that their look is soon learnt and the objects keep the model's
// attention.
#pragma once
#include <array>
#include <span>

namespace conceptd::world {

// Fills side * side pixels of three floats, 0..1.
void paint_background(int background, const std::array<float, 4>& mood, int side, std::span<float> rgb);

}  // namespace conceptd::world
