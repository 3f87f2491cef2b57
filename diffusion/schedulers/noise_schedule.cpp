#include "diffusion/schedulers/noise_schedule.h"

#include <cmath>
#include <numbers>
#include <vector>

#include "diffusion/schedulers/algorithms.h"

namespace conceptd::diffusion {

namespace {

Tensor cosine_betas(int64_t count) {  // Nichol and Dhariwal 2021 (2102.09672), eq. 17
  const auto alpha_bar = [&](double t) { return std::pow(std::cos((t + .008) / 1.008 * std::numbers::pi / 2), 2); };
  std::vector<double> betas;
  for (int64_t k = 0; k < count; ++k) {
    const double from = static_cast<double>(k) / static_cast<double>(count);
    const double to = static_cast<double>(k + 1) / static_cast<double>(count);
    betas.push_back(std::min(1 - alpha_bar(to) / alpha_bar(from), .999));
  }
  return torch::tensor(betas, torch::kDouble).to(torch::kFloat);
}

Tensor zero_terminal_snr(const Tensor& betas) {  // Lin et al. 2023, algorithm 1
  const auto root = (1 - betas).cumprod(0).sqrt();
  const auto first = root[0], last = root[-1];
  const auto bar = ((root - last) * (first / (first - last))).square();
  return 1 - torch::cat({bar.slice(0, 0, 1), bar.slice(0, 1) / bar.slice(0, 0, -1)});
}

Tensor listed_betas(const ConfigReader& reader, const Json& list) {
  std::vector<double> betas;
  for (const auto& beta : list) {
    if (!beta.is_number() || !(beta.get<double>() > 0 && beta.get<double>() < 1)) {
      throw reader.refuse("trained_betas", "must be a list of numbers between 0 and 1");
    }
    betas.push_back(beta.get<double>());
  }
  if (betas.size() < 2) throw reader.refuse("trained_betas", "needs at least two entries");
  return torch::tensor(betas, torch::kDouble).to(torch::kFloat);
}

Tensor like(const Tensor& per_row, const Tensor& x) {  // (b) -> (b, 1, 1, …)
  std::vector<int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[0] = -1;
  return per_row.to(x.options()).view(shape);
}

}  // namespace

NoiseSchedule NoiseSchedule::from_json(const Json& config) {
  ConfigReader reader(config, kSchedulerFile);
  if (is_flow_schedule(config))
    throw reader.refuse("_class_name", "is flow matching, and nothing that counts on betas works on such a base");
  const auto count = reader.integer("num_train_timesteps", 2, 100'000, 1000);
  const auto start = reader.number("beta_start", 1e-12, .999, .0001);
  const auto end = reader.number("beta_end", start, .999, .02);
  const auto kind = one_of(reader, "beta_schedule", "linear", {"linear", "scaled_linear", "squaredcos_cap_v2"});
  NoiseSchedule made;
  if (reader.has("trained_betas")) {
    made.betas = listed_betas(reader, config.at("trained_betas"));
  } else if (kind == "linear") {
    made.betas = torch::linspace(start, end, count, torch::kFloat);
  } else if (kind == "scaled_linear") {
    made.betas = torch::linspace(std::sqrt(start), std::sqrt(end), count, torch::kFloat).square();
  } else {
    made.betas = cosine_betas(count);
  }
  if (reader.boolean("rescale_betas_zero_snr", false)) made.betas = zero_terminal_snr(made.betas);
  made.alphas_cumprod = (1 - made.betas).cumprod(0);
  const auto said = one_of(reader, "prediction_type", "epsilon", {"epsilon", "v_prediction", "sample"});
  made.prediction = said == "epsilon"        ? Prediction::Epsilon
                    : said == "v_prediction" ? Prediction::Velocity
                                             : Prediction::Sample;
  return made;
}

Tensor NoiseSchedule::alpha(const Tensor& timesteps) const { return alphas_cumprod.index_select(0, timesteps).sqrt(); }
Tensor NoiseSchedule::sigma(const Tensor& timesteps) const {
  return (1 - alphas_cumprod.index_select(0, timesteps)).sqrt();
}
Tensor NoiseSchedule::snr(const Tensor& timesteps) const { return (alpha(timesteps) / sigma(timesteps)).square(); }

Tensor NoiseSchedule::add_noise(const Tensor& x0, const Tensor& noise, const Tensor& timesteps) const {
  return like(alpha(timesteps), x0) * x0 + like(sigma(timesteps), x0) * noise;
}

Tensor NoiseSchedule::get_velocity(const Tensor& x0, const Tensor& noise, const Tensor& timesteps) const {
  return like(alpha(timesteps), x0) * noise - like(sigma(timesteps), x0) * x0;
}

Tensor NoiseSchedule::target(const Tensor& x0, const Tensor& noise, const Tensor& timesteps) const {
  if (prediction == Prediction::Epsilon) return noise;
  return prediction == Prediction::Sample ? x0 : get_velocity(x0, noise, timesteps);
}

Reading read_prediction(Prediction prediction, const Tensor& output, const Tensor& sample, double alpha, double sigma) {
  switch (prediction) {
    case Prediction::Epsilon:
      return {(sample - sigma * output) / alpha, output};
    case Prediction::Sample:
      return {output, (sample - alpha * output) / sigma};
    case Prediction::Velocity:
      return {alpha * sample - sigma * output, alpha * output + sigma * sample};
  }
  throw Error(Code::internal, "unknown prediction type");
}

Clipping Clipping::from_json(const Json& config, bool clip_by_default) {
  ConfigReader reader(config, kSchedulerFile);
  return {.clip = reader.boolean("clip_sample", clip_by_default),
          .threshold = reader.boolean("thresholding", false),
          .clip_range = reader.number("clip_sample_range", 1e-6, 1e6, 1),
          .threshold_ratio = reader.number("dynamic_thresholding_ratio", 0, 1, .995),
          .threshold_max = reader.number("sample_max_value", 1, 1e6, 1)};
}

Tensor Clipping::operator()(const Tensor& original) const {
  if (threshold) {
    const auto flat = original.flatten(1);  // (b, values)
    const auto bound = flat.abs().quantile(threshold_ratio, 1, true).clamp(1, threshold_max);
    return (torch::minimum(torch::maximum(flat, -bound), bound) / bound).view_as(original);
  }
  return clip ? original.clamp(-clip_range, clip_range) : original;
}

}  // namespace conceptd::diffusion
