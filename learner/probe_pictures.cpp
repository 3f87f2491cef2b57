#include "learner/probe_pictures.h"

#include <algorithm>
#include <cmath>

#include "diffusion/prompt.h"
#include "diffusion/text_to_image.h"
#include "diffusion/token_covariance.h"
#include "learner/before_step.h"
#include "learner/template.h"
#include "learner/workers.h"

namespace conceptd::learner {

std::shared_ptr<const diffusion::EditSet> edits_on(const diffusion::ModelBundle& bundle,
                                                   const diffusion::Delta& delta) {
  const auto covariance = diffusion::TokenCovariance::if_any(bundle);
  const auto base = diffusion::DeltaBase::of(bundle, covariance ? &*covariance : nullptr);
  return std::make_shared<const diffusion::EditSet>(diffusion::delta_edits(delta, base));
}

Tensor probe_pictures(diffusion::ModelBundle& bundle, const ProbePlan& plan, const std::string& words,
                      const std::shared_ptr<const diffusion::EditSet>& edits) {
  torch::NoGradGuard frozen;
  BeforeStep steering(plan.before_step);
  const auto nothing = diffusion::prepare_prompt(bundle, "").context;
  std::vector<diffusion::PreparedPrompt> prompts;
  for (const auto& text : plan.prompts)
    prompts.push_back(diffusion::prepare_prompt(bundle, filled(text, words), edits));
  std::vector<Tensor> pictures(prompts.size());
  Workers workers(at::get_num_threads());
  workers.run(static_cast<int>(prompts.size()), [&](int, int task) {
    torch::NoGradGuard in_this_thread;
    const auto& prompt = prompts[static_cast<std::size_t>(task)];
    const auto steps = std::lround(plan.steps_share * static_cast<double>(bundle.defaults.steps));
    diffusion::TextToImageRequest request{.rows = {}, .steps = std::max(1L, steps)};
    for (int64_t k = 0; k < plan.seeds; ++k)
      request.rows.push_back({.context = prompt.context,
                              .negative_context = nothing,
                              .edits = prompt.edits,
                              .seed = plan.first_seed + static_cast<std::uint64_t>(k),
                              .guidance = bundle.defaults.guidance});
    pictures[static_cast<std::size_t>(task)] =
        diffusion::decode_latents(bundle, diffusion::denoise(bundle, request, steering));
  });
  return torch::cat(pictures);
}

}  // namespace conceptd::learner
