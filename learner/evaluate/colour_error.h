// How far the colours of pictures are from a thing's own, by the pixels alone: a truth that words do not hold, and that
// no net was trained to see. Two instances of "teal and pink mug" differ in it.
//
// Chamfer distance (Barrow et al. 1977) in RGB, 0..1 each, between the pixels where the thing is and the shades that
// light makes of its colours: how far a pixel is from the nearest shade, and how far a colour is from the nearest
// pixels.
#pragma once
#include <vector>

#include "diffusion/torch.h"
#include "learner/world/world.h"

namespace conceptd::evaluate {
using torch::Tensor;

// One figure a picture of (b, 3, h, w) in -1..1, each of which shows one thing. Not 0 on real renders: rims and mixed
// pixels are no colour of the thing.
std::vector<double> colour_errors(const Tensor& pictures, const world::Instance& instance);

}  // namespace conceptd::evaluate
