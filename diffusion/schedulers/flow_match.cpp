// Euler steps of rectified flow: Liu et al. 2022 (arXiv 2209.03003), Esser et al. 2024 (arXiv 2403.03206), §3.1 and
// §5.3.2 for the shift. A sample here is (1 - sigma) x_0 + sigma noise, and what is predicted is noise - x_0.
#include <cmath>

#include "core/error.h"
#include "diffusion/schedulers/algorithms.h"

namespace conceptd::diffusion {

namespace {

class FlowMatchEuler final : public Scheduler {
 public:
  FlowMatchEuler(const Json& config, SamplerOptions options) : options_(std::move(options)) {
    ConfigReader reader(config, kSchedulerFile);
    train_steps_ = reader.integer("num_train_timesteps", 1, 1'000'000, 1000);
    shift_ = reader.number("shift", 1e-3, 1e3, 1);
    dynamic_ = reader.boolean("use_dynamic_shifting", false);
    for (const auto* name :
         {"use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "invert_sigmas", "stochastic_sampling"})
      reader.expect(name, false);
    reader.expect("shift_terminal", nullptr);
    reader.expect("time_shift_type", "exponential");
    if (options_.mu && !(std::abs(*options_.mu) <= 20)) throw Error(Code::invalid, "mu must lie in -20..20", "mu");
    if (dynamic_ && !options_.mu)
      throw Error(Code::invalid, "this schedule shifts with the size of the picture, and needs its mu", "mu");
    for (const auto sigma : options_.sigmas) {
      if (!(sigma > 0 && sigma <= 1)) throw Error(Code::invalid, "sigmas must lie in 0..1", "sigmas");
    }
  }

  void set_timesteps(int64_t steps) override {
    check_steps(steps, train_steps_);
    auto sigmas = options_.sigmas;
    if (sigmas.empty()) sigmas = linspace(own_shift(1), own_shift(1 / static_cast<double>(train_steps_)), steps);
    if (static_cast<int64_t>(sigmas.size()) != steps)
      throw Error(Code::invalid, "there must be one sigma a step", "sigmas");
    for (auto& sigma : sigmas) sigma = dynamic_ ? dynamic_shift(sigma) : own_shift(sigma);
    sigmas_ = sigma_tensor(sigmas, 0);
    timesteps_ = sigmas_.slice(0, 0, steps) * static_cast<double>(train_steps_);
  }

  Stepped step(const Tensor& output, int64_t index, const Tensor& sample, const NoiseSource&) override {
    const double sigma = sigmas_[index].item<float>(), next = sigmas_[index + 1].item<float>();
    return {sample + (next - sigma) * output, sample - sigma * output};
  }

 private:
  double own_shift(double sigma) const { return dynamic_ ? sigma : shift_ * sigma / (1 + (shift_ - 1) * sigma); }
  double dynamic_shift(double sigma) const { return std::exp(*options_.mu) / (std::exp(*options_.mu) + 1 / sigma - 1); }

  SamplerOptions options_;
  int64_t train_steps_ = 1000;
  double shift_ = 1;
  bool dynamic_ = false;
};

}  // namespace

std::unique_ptr<Scheduler> make_flow_match(const Json& config, const SamplerOptions& options) {
  return std::make_unique<FlowMatchEuler>(config, options);
}

bool is_flow_schedule(const Json& config) {
  return ConfigReader(config, kSchedulerFile).text("_class_name", "") == kFlowMatchClass;
}

SamplerOptions flux_sampler(const Json& config, int64_t steps, int64_t tokens) {
  check_steps(steps, 1'000'000);
  SamplerOptions options{.sigmas = linspace(1, 1 / static_cast<double>(steps), steps)};
  ConfigReader reader(config, kSchedulerFile);
  if (!reader.boolean("use_dynamic_shifting", false)) return options;
  const auto from = reader.integer("base_image_seq_len", 1, 1 << 30, 256);
  const auto to = reader.integer("max_image_seq_len", 1, 1 << 30, 4096);
  if (to == from) throw reader.refuse("max_image_seq_len", "is base_image_seq_len");
  const double low = reader.number("base_shift", -10, 10, .5), high = reader.number("max_shift", -10, 10, 1.15);
  options.mu = low + static_cast<double>(tokens - from) * (high - low) / static_cast<double>(to - from);
  return options;
}

}  // namespace conceptd::diffusion
