// The second, smaller seam: what may happen between two steps of the denoising loop. It is asked once a step, not once
// a layer: progress, cancellation and guidance of the latents (guidance/) live here.
#pragma once
#include <functional>

#include "diffusion/torch.h"

namespace conceptd::diffusion {

// Legend: b pictures of the batch, s latent sides.
struct Step {
  int64_t index = 0, steps = 0;  // about to be taken; of so many
  double timestep = 0;
  Tensor latents = {};   // (b, channels, s, s) fp32; a steering may replace it by one of the same shape
  Tensor original = {};  // x_0 as the step before saw it, for previews; undefined before the first
  // Latents as the network reads them at this step: samplers may scale them.
  std::function<Tensor(const Tensor&)> model_input = {};
};

class Steering {
 public:
  virtual ~Steering() = default;
  virtual void before_step(Step&) {}  // throws Error{cancelled} to end the run
};

}  // namespace conceptd::diffusion
