// Euler steps of the probability-flow ODE in the sigma parametrisation: Karras et al. 2022 (2206.00364), algorithm 2
// without churn. A sample here is x_0 + sigma noise, sigma = sigma_t / alpha_t.
#include <cmath>

#include "core/error.h"
#include "diffusion/schedulers/algorithms.h"

namespace conceptd::diffusion {

namespace {

class Euler final : public Scheduler {
 public:
  explicit Euler(const Json& config)
      : schedule_(NoiseSchedule::from_json(config)), table_(finite_alphas_cumprod(config, schedule_)) {
    ConfigReader reader(config, kSchedulerFile);
    spacing_ = one_of(reader, "timestep_spacing", "linspace", {"leading", "trailing", "linspace"});
    offset_ = reader.integer("steps_offset", 0, 1000, 0);
    karras_ = reader.boolean("use_karras_sigmas", false);
    if (reader.has("sigma_min")) sigma_min_ = reader.number("sigma_min", 1e-6, 1e6, 0);
    if (reader.has("sigma_max")) sigma_max_ = reader.number("sigma_max", 1e-6, 1e6, 0);
    ends_at_zero_ = one_of(reader, "final_sigmas_type", "zero", {"zero", "sigma_min"}) == "zero";
    one_of(reader, "interpolation_type", "linear", {"linear"});
    one_of(reader, "timestep_type", "discrete", {"discrete"});
    for (const auto* name : {"use_exponential_sigmas", "use_beta_sigmas"}) reader.expect(name, false);
  }

  void set_timesteps(int64_t steps) override {
    auto times = spaced_timesteps(spacing_, schedule_.train_steps(), steps, offset_, false);
    std::vector<double> sigmas;
    for (const auto time : times) sigmas.push_back(table_.at(time));
    if (karras_) {
      sigmas = karras_sigmas(sigma_min_.value_or(sigmas.back()), sigma_max_.value_or(sigmas.front()), steps);
      for (std::size_t k = 0; k < sigmas.size(); ++k) times[k] = table_.timestep_of(sigmas[k]);
    }
    sigmas_ = sigma_tensor(sigmas, ends_at_zero_ ? 0 : table_.sigmas[0]);
    timesteps_ = torch::tensor(times, torch::kDouble).to(torch::kFloat);
  }

  double init_noise_sigma() const override {
    const double most = sigmas_.defined() ? sigmas_.max().item<float>() : table_.sigmas.back();
    return spacing_ == "leading" ? std::sqrt(most * most + 1) : most;
  }

  Tensor scale_model_input(const Tensor& sample, int64_t index) const override {
    const double sigma = sigmas_[index].item<float>();
    return sample / std::sqrt(sigma * sigma + 1);
  }

  Stepped step(const Tensor& output, int64_t index, const Tensor& sample, const NoiseSource&) override {
    const double sigma = sigmas_[index].item<float>(), next = sigmas_[index + 1].item<float>();
    const auto original = denoised(output, sample, sigma);
    return {sample + (sample - original) / sigma * (next - sigma), original};
  }

 private:
  Tensor denoised(const Tensor& output, const Tensor& sample, double sigma) const {
    switch (schedule_.prediction) {
      case Prediction::Epsilon:
        return sample - sigma * output;
      case Prediction::Sample:
        return output;
      case Prediction::Velocity: {
        const double scale = sigma * sigma + 1;
        return output * (-sigma / std::sqrt(scale)) + sample / scale;
      }
    }
    throw Error(Code::internal, "unknown prediction type");
  }

  NoiseSchedule schedule_;
  SigmaTable table_;
  std::string spacing_;
  int64_t offset_ = 0;
  bool karras_ = false, ends_at_zero_ = true;
  std::optional<double> sigma_min_, sigma_max_;
};

}  // namespace

std::unique_ptr<Scheduler> make_euler(const Json& config) { return std::make_unique<Euler>(config); }

}  // namespace conceptd::diffusion
