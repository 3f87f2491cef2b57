#include "learner/preview.h"

#include "diffusion/prompt.h"
#include "diffusion/text_to_image.h"

namespace conceptd::learner {

torch::Tensor preview(diffusion::ModelBundle& bundle, const std::shared_ptr<const diffusion::EditSet>& edits,
                      const std::string& placeholder) {
  torch::NoGradGuard frozen;
  constexpr int64_t kSteps = 12;
  diffusion::PictureRow row;
  const auto prompt = diffusion::prepare_prompt(bundle, "a photo of a " + placeholder, edits);
  row.context = prompt.context, row.edits = prompt.edits;
  row.negative_context = diffusion::prepare_prompt(bundle, "").context;
  row.guidance = bundle.defaults.guidance;
  diffusion::Steering none;
  const auto latents = diffusion::denoise(bundle, {.rows = {row}, .sampler = "ddim", .steps = kSteps}, none);
  return diffusion::decode_latents(bundle, latents)[0];
}

}  // namespace conceptd::learner
