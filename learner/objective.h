// What every learner minimises, shared as arithmetic and not as a framework: the denoising error on a few photos, where
// the subject is.
//
// Ho et al. 2020, eq. 14 (L_simple); Tewel et al. 2023 for the mask. Legend: k photos, b rows of a step, c latent
// channels, s latent side.
#pragma once
#include "diffusion/model_bundle.h"
#include "diffusion/schedulers/noise_schedule.h"

namespace conceptd::learner {
using torch::Tensor;

// Photos as the denoiser sees them.
struct PhotoLatents {
  Tensor mean, std;  // (k, c, s, s), scaled: a draw is mean + std * noise
  Tensor mask;       // (k, 1, s, s) in 0..1, each photo's largest value is 1
};
// photos (k, 3, height, width) in -1..1, masks (k, 1, height, width) in 0..1; undefined: soft_masks(photos).
PhotoLatents encode_photos(diffusion::ModelBundle& bundle, const Tensor& photos, const Tensor& masks);

// One draw of everything a step is random in.
struct Draw {
  Tensor photo;        // (b) int64, which photo
  Tensor noisy;        // (b, c, s, s)
  Tensor target;       // (b, c, s, s), by the base's prediction type
  Tensor timesteps;    // (b) int64, one from each of b equal slices of the schedule
  Tensor mask;         // (b, 1, s, s): the photo's, times the timestep's weight
  Tensor prompt = {};  // (b) int64, which of the learner's prompts; undefined where it does not ask
  Draw rows(int64_t from, int64_t count) const;
};
// sqrt(min(SNR, min_snr) / (SNR + 1)): for bases that predict v, what Min-SNR-gamma (Hang et al. 2023, arXiv
// 2303.09556) makes of the loss, with a root. What a thing is gets decided at SNRs of .03 to .4; where there is hardly
// any noise left nothing of it is.
Tensor min_snr_weights(const Tensor& snr, double min_snr);
// The same of every timestep of a schedule, over their mean: (T).
Tensor timestep_weights(const diffusion::NoiseSchedule& schedule, double min_snr);
// (b) int64, one from each of b equal slices of `steps`: the same distribution, less variance.
Tensor spread_timesteps(int64_t b, int64_t steps, torch::Generator& random);
// min_snr above 0: a timestep weighs as timestep_weights() has it.
Draw draw_step(const PhotoLatents& photos, const diffusion::NoiseSchedule& schedule, int64_t b,
               torch::Generator& random, double min_snr = 0);

// mean over everything of mask * (prediction - target)^2: plain mean, no division by the mask's sum.
Tensor masked_loss(const Tensor& prediction, const Tensor& target, const Tensor& mask);

// Prompts of the "a photo of a {}" kind: the base's own where it states some, else those of which every word is one
// token of this base. Without any, "{}".
std::vector<std::string> templates_for(const diffusion::ModelBundle& bundle);

}  // namespace conceptd::learner
