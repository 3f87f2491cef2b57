// Scenes of the procedural world as training batches. Pictures are (b, 3, 64, 64) fp32 in -1..1, channels last.
#pragma once
#include "diffusion/torch.h"
#include "learner/world/world.h"

namespace conceptd::pretrain {
using torch::Tensor;

std::vector<world::Scene> draw_scenes(int64_t count, world::Random& random, const world::Breadth& breadth);
Tensor render_scenes(std::span<const world::Scene> scenes);
Tensor masks_of(std::span<const world::Scene> scenes);  // (b, 1, 64, 64): 1 where any object stands

// A grid of pictures (b, 3, h, w) in -1..1 as a PNG, `columns` a row.
void save_grid(const std::string& path, const Tensor& pictures, int64_t columns, int64_t zoom = 2);

}  // namespace conceptd::pretrain
