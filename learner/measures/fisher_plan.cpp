#include "learner/measures/fisher_plan.h"

#include "diffusion/prompt.h"
#include "diffusion/text_to_image.h"
#include "learner/before_step.h"

namespace conceptd::learner {

FisherPlan::FisherPlan(diffusion::ModelBundle& bundle, FisherPlanSettings settings)
    : bundle_(bundle), prompts_(std::move(settings.prompts)) {
  torch::NoGradGuard frozen;
  const auto nothing = diffusion::prepare_prompt(bundle, "").context;
  diffusion::TextToImageRequest request{.rows = {}, .steps = settings.picture_steps};
  for (std::size_t k = 0; k < prompts_.size(); ++k)
    request.rows.push_back({.context = diffusion::prepare_prompt(bundle, prompts_[k]).context,
                            .negative_context = nothing,
                            .seed = settings.seed + k,
                            .guidance = settings.guidance});
  BeforeStep steering(settings.before_step);
  originals_ = diffusion::denoise(bundle, request, steering);
  const auto schedule = diffusion::NoiseSchedule::from_json(bundle.scheduler_config);
  draws_ = fisher_draws(static_cast<int64_t>(prompts_.size()), settings.timesteps, originals_.sizes().slice(1),
                        schedule, settings.seed);
  std::vector<FisherRow> rows;
  for (std::size_t k = 0; k < prompts_.size(); ++k)
    rows.push_back(fisher_row(bundle, prompts_[k], nullptr, originals_[static_cast<int64_t>(k)]));
  frozen_ = frozen_predictions(bundle, rows, draws_);
}

double FisherPlan::divergence(const std::shared_ptr<const diffusion::EditSet>& edits) const {
  torch::NoGradGuard frozen;
  std::vector<FisherRow> rows;
  for (std::size_t k = 0; k < prompts_.size(); ++k)
    rows.push_back(fisher_row(bundle_, prompts_[k], edits, originals_[static_cast<int64_t>(k)]));
  return latent_fisher_divergence(bundle_, rows, draws_, frozen_).mean;
}

}  // namespace conceptd::learner
