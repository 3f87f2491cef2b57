#include "diffusion/flux_prediction.h"

#include "diffusion/packed_latents.h"

namespace conceptd::diffusion {

Tensor flux_velocity(FluxTransformer2DModel& model, const FluxPrompt& prompt, const Tensor& latents, double sigma,
                     Adaptation& adapt) {
  const auto b = latents.size(0), height = latents.size(2), width = latents.size(3);
  const FluxInput in{.image = pack_latents(latents),
                     .text = prompt.text,
                     .pooled = prompt.pooled,
                     .timestep = torch::full({b}, sigma, torch::kFloat),
                     .guidance = prompt.guidance,
                     .image_ids = patch_ids(height, width),
                     .text_ids = torch::zeros({prompt.text.size(1), 3})};
  return unpack_latents(model(in, adapt), height, width);
}

}  // namespace conceptd::diffusion
