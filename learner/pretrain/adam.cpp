#include "learner/pretrain/adam.h"

#include <cmath>

namespace conceptd::pretrain {

namespace {
struct Coefficients {
  float rate, beta1, beta2, correction1, correction2, epsilon, decay, scale, ema;
};

__attribute__((target_clones("avx512f", "avx2", "default"))) void update(int64_t n, const Coefficients c, float* value,
                                                                         float* first, float* second, float* average,
                                                                         float* gradient) {
  for (int64_t k = 0; k < n; ++k) {
    const float g = gradient[k] * c.scale;
    first[k] = c.beta1 * first[k] + (1 - c.beta1) * g;
    second[k] = c.beta2 * second[k] + (1 - c.beta2) * g * g;
    const float move = first[k] * c.correction1 / (std::sqrt(second[k] * c.correction2) + c.epsilon);
    value[k] -= c.rate * (move + c.decay * value[k]);
    average[k] += (1 - c.ema) * (value[k] - average[k]);
    gradient[k] = 0;
  }
}

__attribute__((target_clones("avx512f", "avx2", "default"))) double sum_into(int64_t n, float* into, float* from) {
  double total = 0;
  for (int64_t k = 0; k < n; ++k) {
    if (from) into[k] += from[k], from[k] = 0;
    total += static_cast<double>(into[k]) * into[k];
  }
  return total;
}
}  // namespace

Adam::Adam(Tensor values_, AdamSettings settings)
    : values(std::move(values_)),
      first(torch::zeros_like(values)),
      second(torch::zeros_like(values)),
      average(values.clone()),
      settings_(settings) {}

double Adam::step(Workers& workers, std::span<Tensor> gradients, double rate, int64_t) {
  const int slices = workers.count();
  const int64_t n = values.numel(), part = (n + slices - 1) / slices;
  const auto range = [&](int slice) { return std::pair{slice * part, std::min(n, (slice + 1) * part) - slice * part}; };
  std::vector<double> squares(slices);
  workers.run(slices, [&](int, int slice) {
    const auto [from, count] = range(slice);
    auto* into = gradients[0].data_ptr<float>() + from;
    if (gradients.size() == 1) squares[slice] = sum_into(count, into, nullptr);
    for (std::size_t g = 1; g < gradients.size(); ++g) {
      squares[slice] = sum_into(count, into, gradients[g].data_ptr<float>() + from);
    }
  });
  double norm = 0;
  for (const double s : squares) norm += s;
  norm = std::sqrt(norm);
  if (!std::isfinite(norm)) {
    gradients[0].zero_();
    return norm;
  }
  ++updates;
  const auto u = static_cast<double>(updates);
  const Coefficients c{static_cast<float>(rate),
                       static_cast<float>(settings_.beta1),
                       static_cast<float>(settings_.beta2),
                       static_cast<float>(1 / (1 - std::pow(settings_.beta1, u))),
                       static_cast<float>(1 / (1 - std::pow(settings_.beta2, u))),
                       static_cast<float>(settings_.epsilon),
                       static_cast<float>(settings_.weight_decay),
                       static_cast<float>(norm > settings_.clip_norm ? settings_.clip_norm / norm : 1.0),
                       static_cast<float>(std::min(settings_.ema, (1 + u) / (10 + u)))};
  workers.run(slices, [&](int, int slice) {
    const auto [from, count] = range(slice);
    update(count, c, values.data_ptr<float>() + from, first.data_ptr<float>() + from, second.data_ptr<float>() + from,
           average.data_ptr<float>() + from, gradients[0].data_ptr<float>() + from);
  });
  return norm;
}

double learning_rate(int64_t step, int64_t steps, double peak, double hold, double floor) {
  const double done = static_cast<double>(step) / static_cast<double>(steps);
  if (done < hold) return peak;
  const double phase = std::min(1.0, (done - hold) / (1 - hold));
  return peak * (floor + (1 - floor) * .5 * (1 + std::cos(M_PI * phase)));
}

}  // namespace conceptd::pretrain
