// Adam (Kingma & Ba 2015) with decoupled weight decay and an exponential moving average of the values, over flat fp32
// buffers.
#pragma once
#include <span>

#include "diffusion/torch.h"
#include "learner/workers.h"

namespace conceptd::pretrain {
using learner::Workers;
using torch::Tensor;

struct AdamSettings {
  double beta1 = .9, beta2 = .99, epsilon = 1e-8, weight_decay = 0, clip_norm = 1.0;
  double ema = .9995;  // of the average; it ramps up as min(ema, (1 + step) / (10 + step))
};

class Adam {
 public:
  Adam(Tensor values, AdamSettings settings);
  // Sums and clears the workers' gradients, clips, and steps. Returns the gradient's norm. A norm that is not finite
  // skips the step.
  double step(Workers& workers, std::span<Tensor> gradients, double rate, int64_t step);
  Tensor values, first, second, average;  // (n) each
  int64_t updates = 0;                    // since first and second were zero: for bias correction

 private:
  AdamSettings settings_;
};

// Constant, then a cosine to `floor` of `peak` over the last (1 - hold) of `steps`.
double learning_rate(int64_t step, int64_t steps, double peak, double hold = .6, double floor = .05);

}  // namespace conceptd::pretrain
