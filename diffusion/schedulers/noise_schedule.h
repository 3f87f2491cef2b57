// The forward process: how much signal and noise a timestep holds. Training and every scheduler share it.
//   q(x_t | x_0) = N(alpha_t x_0, sigma_t² I),  alpha_t = sqrt(alphas_cumprod[t]),  sigma_t = sqrt(1 -
//   alphas_cumprod[t])
// Sources: Ho et al. 2020 (arXiv 2006.11239), eq. 4; v-prediction: Salimans and Ho 2022 (2202.00512), appendix D; zero
// terminal SNR: Lin et al. 2023 (2305.08891), algorithm 1; behaviour and field names: huggingface/diffusers v0.30.3.
// Legend: b batch, T training timesteps.
#pragma once
#include "core/json.h"
#include "diffusion/torch.h"

namespace conceptd::diffusion {

// What the network was trained to say.
enum class Prediction {
  Epsilon,   // the noise
  Velocity,  // alpha_t noise - sigma_t x_0
  Sample,    // x_0
};

struct NoiseSchedule {
  Tensor betas;           // (T) fp32
  Tensor alphas_cumprod;  // (T) fp32
  Prediction prediction = Prediction::Epsilon;

  // From a scheduler_config.json: num_train_timesteps, beta_schedule (linear, scaled_linear, squaredcos_cap_v2),
  // beta_start, beta_end, trained_betas, rescale_betas_zero_snr, prediction_type. Error{invalid} names the field.
  static NoiseSchedule from_json(const Json& config);

  int64_t train_steps() const { return betas.size(0); }
  Tensor alpha(const Tensor& timesteps) const;  // (b) int64 -> (b)
  Tensor sigma(const Tensor& timesteps) const;
  Tensor snr(const Tensor& timesteps) const;  // alpha² / sigma²

  // x and noise (b, …), timesteps (b) int64.
  Tensor add_noise(const Tensor& x0, const Tensor& noise, const Tensor& timesteps) const;
  Tensor get_velocity(const Tensor& x0, const Tensor& noise, const Tensor& timesteps) const;
  // What the network should have said: the target of a training step.
  Tensor target(const Tensor& x0, const Tensor& noise, const Tensor& timesteps) const;
};

// Both readings of a network's output at x_t = alpha x_0 + sigma noise.
struct Reading {
  Tensor original;  // x_0
  Tensor noise;
};
Reading read_prediction(Prediction prediction, const Tensor& output, const Tensor& sample, double alpha, double sigma);

// Keeps x_0 in range: clipping, or dynamic thresholding (Saharia et al. 2022, 2205.11487, §2.3), or neither.
struct Clipping {
  bool clip = false, threshold = false;
  double clip_range = 1, threshold_ratio = .995, threshold_max = 1;
  static Clipping from_json(const Json& config, bool clip_by_default);
  Tensor operator()(const Tensor& original) const;
};

}  // namespace conceptd::diffusion
