// Rainbow selection: which of a task's generated pictures are rehearsed. For every real picture of a concept one
// generated one is kept: near to it, and unlike what all concepts' pictures have in common.
//
//   S(a, i) = mean over all candidates b of all tasks of (1 - cos(a, b))  +  likeness * cos(a, f_i)
//
// Sun et al., "Create Your World: Lifelong Text-to-Image Diffusion" (L2DM), algorithm 1 and equation 5, read from
// pictures of them. The mean over b is 1 - a . (mean of all features), so no N x N matrix is needed.
// Legend: n candidates of one task, r real features of it, d feature width.
#pragma once
#include <span>
#include <vector>

#include "diffusion/torch.h"

namespace conceptd::learner {
using torch::Tensor;

struct RainbowTask {
  Tensor candidates;  // (n, d), unit rows
  Tensor real;        // (r, d), unit rows; zero rows where there is nothing to be like
};

// (n) for each task: mean dissimilarity of its candidates to all tasks' candidates.
std::vector<Tensor> dissimilarity(std::span<const RainbowTask> tasks);

// For each task, r row numbers of candidates, in the order of the real features; ties go to the lowest number.
// DEVIATES: without replacement, unless `twice`; the algorithm as printed may keep one candidate for several features.
// A task with fewer candidates than real features keeps them all.
std::vector<std::vector<int64_t>> rainbow_selection(std::span<const RainbowTask> tasks, double likeness,
                                                    bool twice = false);

}  // namespace conceptd::learner
