#include "learner/class_prior.h"

#include "diffusion/prompt.h"
#include "diffusion/text_to_image.h"

namespace conceptd::learner {

void PriorSettings::read(SettingsReader& reader) {
  reader.number("prior_weight", prior_weight, 0, 100);
  reader.whole("prior_pictures", prior_pictures, 1, 256);
}

void PriorSettings::write(nlohmann::json& settings) const {
  settings["prior_weight"] = prior_weight, settings["prior_pictures"] = prior_pictures;
}

Tensor identifier_row(diffusion::ModelBundle& bundle, torch::Generator& random) {
  if (bundle.tokenizer.is_single_token("sks")) return class_row(bundle, "sks");
  const auto table = bundle.text_encoder->text_model->embeddings->token_embedding->weight.detach().to(torch::kFloat);
  return table.mean(0, true) + table.std(0, true, true) * torch::randn({1, table.size(1)}, random);
}

namespace {
constexpr std::uint64_t kPriorSeeds = 1ull << 40;
constexpr int64_t kPriorSteps = 25;

// What the frozen base makes of "a <class word>": as latents, all of them the subject.
PhotoLatents pictures_of(diffusion::ModelBundle& bundle, const std::string& class_word, int64_t pictures,
                         std::uint64_t seed) {
  torch::NoGradGuard frozen;
  constexpr int64_t kAtOnce = 8;
  const auto context = diffusion::prepare_prompt(bundle, "a " + class_word).context;
  const auto negative = diffusion::prepare_prompt(bundle, "").context;
  std::vector<Tensor> drawn;
  for (int64_t from = 0; from < pictures; from += kAtOnce) {
    diffusion::TextToImageRequest request{.sampler = "ddim", .steps = kPriorSteps};
    for (int64_t k = from; k < std::min(from + kAtOnce, pictures); ++k) {
      request.rows.push_back({.context = context,
                              .negative_context = negative,
                              .seed = seed + static_cast<std::uint64_t>(k),
                              .guidance = bundle.defaults.guidance});
    }
    diffusion::Steering none;
    drawn.push_back(diffusion::denoise(bundle, request, none).to(torch::kFloat));
  }
  const auto latents = torch::cat(drawn);
  auto everywhere = torch::ones({latents.size(0), 1, latents.size(2), latents.size(3)});
  return {latents, torch::zeros_like(latents), everywhere};
}

Draw joined(const Draw& a, const Draw& b) {
  const auto both = [](const Tensor& x, const Tensor& y) { return torch::cat({x, y}); };
  return {.photo = both(a.photo, b.photo),
          .noisy = both(a.noisy, b.noisy),
          .target = both(a.target, b.target),
          .timesteps = both(a.timesteps, b.timesteps),
          .mask = both(a.mask, b.mask)};
}
}  // namespace

ClassPrior::ClassPrior(diffusion::ModelBundle& bundle, const std::string& class_word, const Prompts& prompts,
                       const PriorSettings& prior, const StepSettings& steps, std::uint64_t seed)
    : prompts_(prompts),
      prior_(prior),
      steps_(steps),
      schedule_(diffusion::NoiseSchedule::from_json(bundle.scheduler_config)) {
  if (!is_on()) return;
  torch::NoGradGuard frozen;
  diffusion::Adaptation base;
  // Far from the seeds that anybody draws the concept from: those would compare it with what it has seen.
  pictures_ = pictures_of(bundle, class_word, prior.prior_pictures, seed + kPriorSeeds);
  states_ = bundle.text_encoder(prompts.class_ids, base).last_hidden_state;
}

int64_t ClassPrior::passes() const { return is_on() ? 2 * kPriorSteps * prior_.prior_pictures : 0; }

void ClassPrior::join(Draw& draw, Tensor& states, int64_t step, torch::Generator& random) const {
  if (!is_on()) return;
  auto of_class = draw_step(pictures_, schedule_, steps_.batch, random, steps_.min_snr);
  of_class.mask = of_class.mask * prior_.prior_weight;
  draw = joined(draw, of_class);
  states = torch::cat({states, states_.index_select(0, template_rows(prompts_, step, steps_.batch))});
}

}  // namespace conceptd::learner
