#include "learner/measures/fisher_divergence.h"

#include <ATen/CPUGeneratorImpl.h>

#include <functional>

#include "core/error.h"
#include "diffusion/edits/borrowed_maps.h"
#include "diffusion/prompt.h"
#include "learner/workers.h"

namespace conceptd::learner {
using diffusion::Edited;

namespace {
void check(const diffusion::ModelBundle& bundle, const std::vector<FisherRow>& rows, const FisherDraws& draws) {
  if (bundle.compute != torch::kFloat)
    throw Error(Code::invalid, "small differences need the base open in fp32; say --dtype fp32", "dtype");
  if (rows.empty() || draws.timesteps.dim() != 2 || draws.timesteps.size(0) != static_cast<int64_t>(rows.size()) ||
      draws.noise.size(0) != draws.timesteps.size(0) || draws.noise.size(1) != draws.timesteps.size(1)) {
    throw Error(Code::invalid, "there must be draws for every row", "rows");
  }
}

// What the row's stream says at each of its draws, (k, ch, s, s).
Tensor predictions(diffusion::ModelBundle& bundle, const diffusion::NoiseSchedule& schedule, const Tensor& original,
                   const Tensor& context, const std::shared_ptr<const diffusion::EditSet>& edits,
                   const Tensor& timesteps, const Tensor& noise) {
  const auto k = timesteps.size(0);
  const auto noisy = schedule.add_noise(original.to(torch::kFloat).unsqueeze(0).expand_as(noise), noise, timesteps);
  diffusion::DualStream streams(Edited::Rows(static_cast<std::size_t>(k), edits));
  return streams.run(bundle.unet, noisy, timesteps, context.unsqueeze(0).expand({k, -1, -1}).contiguous());
}

// of(row, its number), stacked; as many rows at once as libtorch would use threads.
Tensor over_rows(const std::vector<FisherRow>& rows, const std::function<Tensor(const FisherRow&, int64_t)>& of) {
  std::vector<Tensor> each(rows.size());
  Workers workers(at::get_num_threads());
  workers.run(static_cast<int>(rows.size()), [&](int, int task) {
    torch::NoGradGuard in_this_thread;
    const auto k = static_cast<std::size_t>(task);
    each[k] = of(rows[k], task);
  });
  return torch::stack(each);
}
}  // namespace

bool FisherRow::reads_an_edit() const {
  return (edits && !edits->sites.empty()) || !torch::equal(context, frozen_context);
}

FisherRow fisher_row(diffusion::ModelBundle& bundle, const std::string& prompt,
                     const std::shared_ptr<const diffusion::EditSet>& edits, const Tensor& original) {
  if (!diffusion::placeholder_spans(prompt).empty())
    throw Error(Code::invalid, "'" + prompt + "' names a concept; this measure is of prompts that do not", "prompt");
  const auto in_force = diffusion::for_another_prompt({edits}).at(0);
  const auto prepared = diffusion::prepare_prompt(bundle, prompt, in_force);
  return {.original = original,
          .frozen_context = diffusion::prepare_prompt(bundle, prompt).context,
          .context = prepared.context,
          .edits = prepared.edits};
}

FisherDraws fisher_draws(int64_t rows, int64_t timesteps, at::IntArrayRef latent,
                         const diffusion::NoiseSchedule& schedule, std::uint64_t seed) {
  if (rows < 1 || timesteps < 1 || timesteps > schedule.train_steps())
    throw Error(Code::invalid, "there must be rows, and at most as many timesteps as the schedule has", "timesteps");
  auto random = torch::make_generator<at::CPUGeneratorImpl>(seed);
  std::vector<int64_t> shape{timesteps};
  shape.insert(shape.end(), latent.begin(), latent.end());
  const auto steps = schedule.train_steps();
  std::vector<Tensor> times, noises;
  for (int64_t row = 0; row < rows; ++row) {
    const auto within = torch::rand({timesteps}, random, torch::kDouble);
    const auto at = (torch::arange(timesteps, torch::kDouble) + within) / static_cast<double>(timesteps);
    times.push_back((at * static_cast<double>(steps)).to(torch::kLong).clamp_max(steps - 1));
    noises.push_back(torch::randn(shape, random));
  }
  return {torch::stack(times), torch::stack(noises)};
}

FisherDivergence fisher_divergence(const Tensor& change) {
  if (change.dim() < 3 || change.numel() == 0)
    throw Error(Code::invalid, "changes are (rows, timesteps, values…)", "change");
  const auto each = change.detach().to(torch::kDouble).pow(2).flatten(2).mean(2);  // (r, k)
  return {.mean = each.mean().item<double>(), .by_row = each.mean(1), .by_time = each.mean(0)};
}

Tensor noise_factor(const diffusion::NoiseSchedule& schedule, const Tensor& timesteps) {
  const auto alpha = schedule.alpha(timesteps);
  switch (schedule.prediction) {
    case diffusion::Prediction::Epsilon:
      return torch::ones_like(alpha);
    case diffusion::Prediction::Velocity:
      return alpha;
    case diffusion::Prediction::Sample:
      return -alpha / schedule.sigma(timesteps);
  }
  throw Error(Code::internal, "unknown prediction type");
}

Tensor frozen_predictions(diffusion::ModelBundle& bundle, const std::vector<FisherRow>& rows,
                          const FisherDraws& draws) {
  check(bundle, rows, draws);
  const auto schedule = diffusion::NoiseSchedule::from_json(bundle.scheduler_config);
  return over_rows(rows, [&](const FisherRow& row, int64_t k) {
    return predictions(bundle, schedule, row.original, row.frozen_context, nullptr, draws.timesteps[k], draws.noise[k]);
  });
}

FisherDivergence latent_fisher_divergence(diffusion::ModelBundle& bundle, const std::vector<FisherRow>& rows,
                                          const FisherDraws& draws, const Tensor& frozen) {
  check(bundle, rows, draws);
  if (frozen.sizes() != draws.noise.sizes())
    throw Error(Code::invalid, "the base's predictions are not of these draws", "frozen");
  const auto schedule = diffusion::NoiseSchedule::from_json(bundle.scheduler_config);
  return fisher_divergence(over_rows(rows, [&](const FisherRow& row, int64_t k) -> Tensor {
    if (!row.reads_an_edit()) return torch::zeros_like(frozen[k]);
    const auto times = draws.timesteps[k];
    const auto said = predictions(bundle, schedule, row.original, row.context, row.edits, times, draws.noise[k]);
    return (said - frozen[k]) * noise_factor(schedule, times).view({-1, 1, 1, 1});
  }));
}

}  // namespace conceptd::learner
