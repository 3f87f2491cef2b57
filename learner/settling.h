// The rates of a learning run: constant, then falling to nothing along half a cosine, so that what is kept has come to
// rest and is not one noisy step of many. The public codes keep constant rates and choose among checkpoints by eye;
// nobody looks on here.
#pragma once
#include <cmath>
#include <vector>

#include "diffusion/torch.h"

namespace conceptd::learner {
using torch::Tensor;

// The factor of a step (from 0) of `steps`, the last `settle` (0..1) of which come to rest.
inline double settling(int64_t step, int64_t steps, double settle) {
  const double done = static_cast<double>(step) / static_cast<double>(steps), from = 1 - settle;
  return done < from || settle <= 0 ? 1 : .5 * (1 + std::cos(M_PI * (done - from) / settle));
}

// Parameters with a rate of their own.
inline torch::optim::OptimizerParamGroup learned_at(const std::vector<Tensor>& parameters, double rate) {
  return torch::optim::OptimizerParamGroup(parameters, std::make_unique<torch::optim::AdamOptions>(rate));
}

// One peak rate a group.
inline void set_rates(torch::optim::Adam& adam, const std::vector<double>& peaks, double factor) {
  for (std::size_t k = 0; k < peaks.size(); ++k) adam.param_groups()[k].options().set_lr(peaks[k] * factor);
}

}  // namespace conceptd::learner
