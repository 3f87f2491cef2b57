// A measure of shape that nothing was trained for: the edges of a picture against the outlines of every shape, over
// scale, proportions and shift. It stands beside the evaluator's answer, which a net could get wrong on pictures unlike
// its own.
//
// Normalised cross-correlation of gradient magnitudes (Lewis 1995, "Fast normalized cross-correlation").
#pragma once
#include <vector>

#include "diffusion/torch.h"

namespace conceptd::evaluate {
using torch::Tensor;

class TemplateMeasure {
 public:
  TemplateMeasure();  // draws the outlines: a few proportions and sizes of each trained shape
  // The index in shape_words() of the best outline of each picture (b, 3, 64, 64) that shows one thing, near its
  // middle.
  std::vector<int64_t> shapes(const Tensor& pictures) const;

 private:
  Tensor bank_;                    // (templates, 1, window, window), each of zero mean and unit length
  std::vector<int64_t> shape_of_;  // of each template
};

}  // namespace conceptd::evaluate
