#include "learner/photo_prompts.h"

#include "learner/template.h"
#include "learner/workers.h"

namespace conceptd::learner {
namespace {
constexpr int64_t kLooks = 8, kLooksOfMany = 4, kMany = 32;  // noised copies a photo; of more photos, fewer

int64_t looks_of(int64_t photos) { return photos > kMany ? kLooksOfMany : kLooks; }

// (k) int64: the prompt from `first` on in which the base denoises a photo's surroundings best. states (t, n, c)
Tensor best_prompt(diffusion::ModelBundle& bundle, const PhotoLatents& photos, const diffusion::NoiseSchedule& schedule,
                   const Tensor& states, int64_t first, std::uint64_t seed) {
  const auto k = photos.mean.size(0), looks = looks_of(k);
  auto best = torch::empty({k}, torch::kLong);
  Workers workers(at::get_num_threads());
  workers.run(static_cast<int>(k), [&](int, int task) {
    torch::NoGradGuard frozen;
    diffusion::Adaptation base;
    auto random = torch::make_generator<at::CPUGeneratorImpl>(seed + static_cast<std::uint64_t>(task));
    const auto of = [&](const Tensor& all) { return all.slice(0, task, task + 1); };
    const auto draw = draw_step({of(photos.mean), of(photos.std), of(photos.mask)}, schedule, looks, random);
    double least = 0;
    for (int64_t t = first; t < states.size(0); ++t) {
      const auto text = states[t].unsqueeze(0).expand({looks, -1, -1}).to(bundle.compute);
      const auto prediction = bundle.unet(draw.noisy.to(bundle.compute), draw.timesteps, text, base);
      const auto error = masked_loss(prediction, draw.target, 1 - draw.mask).item<double>();
      if (t == first || error < least) least = error, best[task] = t;
    }
  });
  return best;
}
}  // namespace

PhotoPrompts::PhotoPrompts(diffusion::ModelBundle& bundle, const PhotoLatents& photos,
                           const diffusion::NoiseSchedule& schedule, const std::string& class_word, std::uint64_t seed,
                           const std::string& said) {
  auto texts = templates_for(bundle);
  plain_ = fill_templates(bundle, texts, class_word);
  const auto first = static_cast<int64_t>(texts.size());
  const auto& places = bundle.learning.places;
  for (const auto& place : places) texts.push_back(texts.front() + " " + place);
  if (!places.empty()) {
    torch::NoGradGuard frozen;
    diffusion::Adaptation base;
    const auto ids = fill_templates(bundle, texts, class_word).class_ids;
    places_ = best_prompt(bundle, photos, schedule, bundle.text_encoder(ids, base).last_hidden_state, first, seed);
    passes_ = photos.mean.size(0) * looks_of(photos.mean.size(0)) * static_cast<int64_t>(places.size());
  }
  for (auto& text : texts) text = filled(text, said);
  all_ = fill_templates(bundle, texts, class_word);
}

Tensor PhotoPrompts::rows(int64_t step, const Draw& draw) const {
  const auto b = draw.photo.size(0);
  const auto templates = template_rows(plain_, step, b);
  if (!places_.defined()) return templates;
  const auto says_place = torch::remainder(torch::arange(b) + step, 2) == 0;
  return torch::where(says_place, places_.index_select(0, draw.photo), templates);
}

}  // namespace conceptd::learner
