// DPM-Solver++, multistep, data prediction: orders 1 to 3 and the SDE variant. Lu et al. 2022b (2211.01095), algorithm
// 2; third order: Lu et al. 2022a (2206.00927), appendix D, in data prediction.
//   lambda_t = log(alpha_t / sigma_t), h = lambda_next - lambda_now;  D0 = x_0 now, D1 and D2 its divided differences.
// A sample is alpha_t x_0 + sigma_t noise; `sigma` in the table is sigma_t / alpha_t.
#include <cmath>
#include <deque>

#include "diffusion/schedulers/algorithms.h"

namespace conceptd::diffusion {

namespace {

struct Level {  // one timestep's signal and noise
  explicit Level(double ratio) : alpha(1 / std::sqrt(ratio * ratio + 1)), sigma(ratio * alpha) {}
  double lambda() const { return std::log(alpha) - std::log(sigma); }  // infinite where there is no noise left
  double alpha, sigma;
};

class Dpmpp final : public Scheduler {
 public:
  explicit Dpmpp(const Json& config)
      : schedule_(NoiseSchedule::from_json(config)),
        clipping_(Clipping::from_json(config, false)),
        alphas_cumprod_(finite_alphas_cumprod(config, schedule_)),
        table_(alphas_cumprod_) {
    ConfigReader reader(config, kSchedulerFile);
    clipping_.clip = false;  // not a field of this class
    spacing_ = one_of(reader, "timestep_spacing", "linspace", {"leading", "trailing", "linspace"});
    offset_ = reader.integer("steps_offset", 0, 1000, 0);
    sde_ = one_of(reader, "algorithm_type", "dpmsolver++", {"dpmsolver++", "sde-dpmsolver++"}) == "sde-dpmsolver++";
    order_ = reader.integer("solver_order", 1, sde_ ? 2 : 3, 2);
    heun_ = one_of(reader, "solver_type", "midpoint", {"midpoint", "heun"}) == "heun";
    lower_order_final_ = reader.boolean("lower_order_final", true);
    euler_at_final_ = reader.boolean("euler_at_final", false);
    karras_ = reader.boolean("use_karras_sigmas", false);
    ends_at_zero_ = one_of(reader, "final_sigmas_type", "zero", {"zero", "sigma_min"}) == "zero";
    const bool unclipped = config.value("lambda_min_clipped", Json()) == "-Infinity";
    lambda_min_ = unclipped ? -INFINITY : reader.number("lambda_min_clipped", -1e6, 1e6, -INFINITY);
    one_of(reader, "variance_type", "", {"fixed_small", "fixed_small_log", "fixed_large"});  // DDPM's: nothing here
    for (const auto* name :
         {"use_lu_lambdas", "use_exponential_sigmas", "use_beta_sigmas", "use_flow_sigmas", "use_dynamic_shifting"}) {
      reader.expect(name, false);
    }
  }

  void set_timesteps(int64_t steps) override {
    history_.clear();
    const auto times = spaced(steps);
    std::vector<double> whole, sigmas;
    if (karras_) {
      sigmas = karras_sigmas(table_.sigmas.front(), table_.sigmas.back(), steps);
      for (const auto sigma : sigmas) whole.push_back(std::nearbyint(table_.timestep_of(sigma)));
    } else {
      whole = times;
      for (const auto time : times) sigmas.push_back(table_.at(time));
    }
    sigmas_ = sigma_tensor(sigmas, ends_at_zero_ ? 0 : table_.sigmas[0]);
    timesteps_ = whole_tensor(whole);
  }

  Stepped step(const Tensor& output, int64_t index, const Tensor& sample, const NoiseSource& noise) override {
    const Level now(sigma_at(index));
    history_.push_front(
        clipping_(read_prediction(schedule_.prediction, output, sample, now.alpha, now.sigma).original));
    if (static_cast<int64_t>(history_.size()) > order_) history_.pop_back();
    auto next = solve(order_at(index), index, sample);
    if (sde_) {
      const Level after(sigma_at(index + 1));
      const double h = after.lambda() - now.lambda();
      next = next + after.sigma * std::sqrt(1 - std::exp(-2 * h)) * noise(sample.sizes());
    }
    return {next, history_.front()};
  }

 private:
  std::vector<double> spaced(int64_t steps) const {
    const auto train = schedule_.train_steps();
    // Clip lambda from below: the cosine schedule's last timesteps hold next to no signal.
    const auto lambda = (alphas_cumprod_.sqrt() / (1 - alphas_cumprod_).sqrt()).log();
    const auto last = train - (lambda < lambda_min_).sum().item<int64_t>();
    check_steps(steps, last - 1);
    std::vector<double> times;
    if (spacing_ == "trailing") {
      times = trailing_timesteps(static_cast<double>(last), static_cast<double>(train) / static_cast<double>(steps));
    } else if (spacing_ == "leading") {
      for (int64_t k = steps; k > 0; --k) times.push_back(static_cast<double>(k * (last / (steps + 1)) + offset_));
    } else {
      const auto rising = linspace(0, static_cast<double>(last - 1), steps + 1);
      for (int64_t k = steps; k > 0; --k) times.push_back(std::nearbyint(rising[static_cast<std::size_t>(k)]));
    }
    check_timesteps(times, train);
    return times;
  }

  double sigma_at(int64_t index) const { return sigmas_[index].item<float>(); }

  int64_t order_at(int64_t index) const {
    const bool few = lower_order_final_ && steps() < 15;
    const auto left = steps() - 1 - index;
    auto order = std::min<int64_t>(order_, static_cast<int64_t>(history_.size()));
    if (left == 0 && (euler_at_final_ || few || ends_at_zero_)) order = 1;
    if (left == 1 && few) order = std::min<int64_t>(order, 2);
    return order;
  }

  Tensor solve(int64_t order, int64_t index, const Tensor& sample) const {
    const Level after(sigma_at(index + 1)), now(sigma_at(index));
    const double h = after.lambda() - now.lambda();
    const double share = sde_ ? 2 * h : h;                 // the SDE forgets twice as fast
    const double phi = after.alpha * -std::expm1(-share);  // weight of D0
    const double keep = after.sigma / now.sigma * (sde_ ? std::exp(-h) : 1.);
    auto next = keep * sample + phi * history_[0];
    if (order < 2) return next;
    const double h_0 = now.lambda() - Level(sigma_at(index - 1)).lambda(), r_0 = h_0 / h;
    const auto d_1 = (history_[0] - history_[1]) / r_0;
    const double heun = after.alpha * (std::expm1(-share) / share + 1);
    if (order == 2) return next + (heun_ ? heun : .5 * phi) * d_1;
    const double h_1 = Level(sigma_at(index - 1)).lambda() - Level(sigma_at(index - 2)).lambda(), r_1 = h_1 / h;
    const auto d_1_before = (history_[1] - history_[2]) / r_1;
    const auto slope = d_1 + r_0 / (r_0 + r_1) * (d_1 - d_1_before);
    const auto curve = (d_1 - d_1_before) / (r_0 + r_1);
    return next + heun * slope - after.alpha * ((std::expm1(-h) + h) / (h * h) - .5) * curve;
  }

  NoiseSchedule schedule_;
  Clipping clipping_;
  Tensor alphas_cumprod_;
  SigmaTable table_;
  std::string spacing_;
  int64_t offset_ = 0, order_ = 2;
  bool sde_ = false, heun_ = false, lower_order_final_ = true, euler_at_final_ = false, karras_ = false;
  bool ends_at_zero_ = true;
  double lambda_min_ = -INFINITY;
  std::deque<Tensor> history_;  // x_0 of the last steps, newest first
};

}  // namespace

std::unique_ptr<Scheduler> make_dpmpp(const Json& config) { return std::make_unique<Dpmpp>(config); }

}  // namespace conceptd::diffusion
