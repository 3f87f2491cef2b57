// DDIM: deterministic at eta 0, ancestral at eta 1. Song et al. 2020 (2010.02502): eq. 12 and 16.
#include <cmath>

#include "diffusion/schedulers/algorithms.h"

namespace conceptd::diffusion {

namespace {

class Ddim final : public Scheduler {
 public:
  Ddim(const Json& config, bool native, double eta)
      : schedule_(NoiseSchedule::from_json(config)), clipping_(Clipping::from_json(config, native)), eta_(eta) {
    ConfigReader reader(config, kSchedulerFile);
    spacing_ = one_of(reader, "timestep_spacing", "leading", {"leading", "trailing", "linspace"});
    offset_ = reader.integer("steps_offset", 0, 1000, 0);
    final_bar_ = reader.boolean("set_alpha_to_one", true) ? 1. : schedule_.alphas_cumprod[0].item<float>();
  }

  void set_timesteps(int64_t steps) override {
    timesteps_ = whole_tensor(spaced_timesteps(spacing_, schedule_.train_steps(), steps, offset_, true));
  }

  Stepped step(const Tensor& output, int64_t index, const Tensor& sample, const NoiseSource& noise) override {
    const auto t = timesteps_[index].item<int64_t>();
    const auto before = t - schedule_.train_steps() / steps();
    const double bar = schedule_.alphas_cumprod[t].item<float>();
    const double bar_before = before >= 0 ? schedule_.alphas_cumprod[before].item<float>() : final_bar_;
    const auto read = read_prediction(schedule_.prediction, output, sample, std::sqrt(bar), std::sqrt(1 - bar));
    const auto original = clipping_(read.original);
    const double variance = (1 - bar_before) / (1 - bar) * (1 - bar / bar_before);
    const double deviation = eta_ * std::sqrt(std::max(variance, 0.));  // eq. 16
    const double towards = std::sqrt(std::max(1 - bar_before - deviation * deviation, 0.));
    auto next = std::sqrt(bar_before) * original + towards * read.noise;  // eq. 12
    if (eta_ > 0) next = next + deviation * noise(sample.sizes());
    return {next, original};
  }

 private:
  NoiseSchedule schedule_;
  Clipping clipping_;
  std::string spacing_;
  int64_t offset_ = 0;
  double final_bar_ = 1, eta_ = 0;
};

}  // namespace

std::unique_ptr<Scheduler> make_ddim(const Json& config, bool native, double eta) {
  return std::make_unique<Ddim>(config, native, eta);
}

}  // namespace conceptd::diffusion
