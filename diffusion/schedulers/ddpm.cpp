// DDPM: ancestral sampling. Ho et al. 2020 (2006.11239): algorithm 2, eq. 6, 7 and 15.
#include <cmath>

#include "diffusion/schedulers/algorithms.h"

namespace conceptd::diffusion {

namespace {

class Ddpm final : public Scheduler {
 public:
  Ddpm(const Json& config, bool native)
      : schedule_(NoiseSchedule::from_json(config)), clipping_(Clipping::from_json(config, native)) {
    ConfigReader reader(config, kSchedulerFile);
    spacing_ = one_of(reader, "timestep_spacing", "leading", {"leading", "trailing", "linspace"});
    offset_ = reader.integer("steps_offset", 0, 1000, 0);
    variance_ = one_of(reader, "variance_type", "fixed_small", {"fixed_small", "fixed_small_log", "fixed_large"});
  }

  void set_timesteps(int64_t steps) override {
    timesteps_ = whole_tensor(spaced_timesteps(spacing_, schedule_.train_steps(), steps, offset_, true));
  }

  Stepped step(const Tensor& output, int64_t index, const Tensor& sample, const NoiseSource& noise) override {
    const auto t = timesteps_[index].item<int64_t>();
    const auto before = t - schedule_.train_steps() / steps();
    const double bar = schedule_.alphas_cumprod[t].item<float>();
    const double bar_before = before >= 0 ? schedule_.alphas_cumprod[before].item<float>() : 1.;
    const double alpha = bar / bar_before, beta = 1 - alpha;
    const auto original = clipping_(
        read_prediction(schedule_.prediction, output, sample, std::sqrt(bar), std::sqrt(1 - bar)).original);  // eq. 15
    auto next = std::sqrt(bar_before) * beta / (1 - bar) * original +
                std::sqrt(alpha) * (1 - bar_before) / (1 - bar) * sample;  // eq. 7, mean
    if (t > 0) next = next + deviation(bar, bar_before, beta) * noise(sample.sizes());
    return {next, original};
  }

 private:
  double deviation(double bar, double bar_before, double beta) const {
    if (variance_ == "fixed_large") return std::sqrt(beta);
    return std::sqrt(std::max((1 - bar_before) / (1 - bar) * beta, 1e-20));  // eq. 7, variance; _log: the same number
  }

  NoiseSchedule schedule_;
  Clipping clipping_;
  std::string spacing_, variance_;
  int64_t offset_ = 0;
};

}  // namespace

std::unique_ptr<Scheduler> make_ddpm(const Json& config, bool native) { return std::make_unique<Ddpm>(config, native); }

}  // namespace conceptd::diffusion
