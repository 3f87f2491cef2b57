#include "learner/l2dm/rehearsal.h"

#include <cstring>
#include <set>

#include "diffusion/prompt.h"
#include "diffusion/text_to_image.h"
#include "learner/before_step.h"
#include "learner/l2dm/rainbow.h"
#include "learner/objective.h"
#include "learner/template.h"
#include "learner/workers.h"

namespace conceptd::learner {

namespace {
constexpr std::size_t kBatch = 8;

// A stream of its own for every delta: what is drawn of a concept does not depend on who else is there.
std::uint64_t seed_of(const std::string& whose, int64_t picture) {
  const auto digest = Digest::of(whose + ":" + std::to_string(picture));
  std::uint64_t seed = 0;
  std::memcpy(&seed, digest.raw().data(), sizeof seed);
  return seed >> 1;
}

// "a {}", "a photo of a {}", "a {} on the grass", …
std::vector<std::string> prompts_of(const diffusion::ModelBundle& bundle) {
  auto prompts = templates_for(bundle);
  const auto templates = prompts.size();
  for (std::size_t k = 0; k < bundle.learning.places.size(); ++k)
    prompts.push_back(prompts[k % templates] + " " + bundle.learning.places[k]);
  return prompts;
}

struct Wanted {
  Rehearsed item;
  std::uint64_t seed;
};

// Draws the latents of all that is wanted.
void draw(diffusion::ModelBundle& bundle, std::vector<Wanted>& wanted, int64_t steps,
          const std::function<void()>& before_step) {
  const auto nothing = diffusion::prepare_prompt(bundle, "").context;
  BeforeStep steering(before_step);
  Workers workers(at::get_num_threads());
  workers.run(static_cast<int>((wanted.size() + kBatch - 1) / kBatch), [&](int, int task) {
    const torch::NoGradGuard frozen;
    const auto from = static_cast<std::size_t>(task) * kBatch, to = std::min(wanted.size(), from + kBatch);
    diffusion::TextToImageRequest request{.rows = {}, .sampler = "ddim", .steps = steps};
    for (auto k = from; k < to; ++k)
      request.rows.push_back({.context = wanted[k].item.context,
                              .negative_context = nothing,
                              .edits = wanted[k].item.teacher,
                              .seed = wanted[k].seed,
                              .guidance = bundle.defaults.guidance});
    const auto latents = diffusion::denoise(bundle, request, steering);
    for (auto k = from; k < to; ++k) wanted[k].item.latent = latents[static_cast<int64_t>(k - from)].clone();
  });
}
}  // namespace

Tensor latent_features(const Tensor& latents) {
  const auto pooled = torch::adaptive_avg_pool2d(latents.to(torch::kFloat), {4, 4}).flatten(1);
  return torch::nn::functional::normalize(pooled - pooled.mean(1, true));
}

Rehearsal rehearsal(diffusion::ModelBundle& bundle, const diffusion::DeltaBase& base,
                    std::span<const ConsolidationMember> members, const RehearsalSettings& settings,
                    const std::function<void()>& before_step) {
  const torch::NoGradGuard frozen;
  const auto prompts = prompts_of(bundle);
  std::vector<Wanted> wanted;
  std::set<std::string> class_words;
  for (std::size_t m = 0; m < members.size(); ++m) {
    const auto& delta = members[m].delta;
    const auto edits = std::make_shared<const diffusion::EditSet>(diffusion::delta_edits(delta, base));
    for (int64_t k = 0; k < settings.candidates; ++k) {
      const auto& text = prompts[static_cast<std::size_t>(k) % prompts.size()];
      const auto prompt = diffusion::prepare_prompt(bundle, filled(text, delta.placeholder), edits);
      const auto plain = diffusion::prepare_prompt(bundle, filled(text, delta.class_word));
      wanted.push_back({{.latent = {},
                         .context = prompt.context,
                         .class_context = plain.context,
                         .teacher = prompt.edits,
                         .owner = static_cast<int64_t>(m)},
                        seed_of(members[m].digest.hex(), k)});
    }
    class_words.insert(delta.class_word);
  }
  for (const auto& word : class_words) {
    for (int64_t k = 0; k < settings.class_pictures; ++k) {
      const auto& text = prompts[static_cast<std::size_t>(k) % prompts.size()];
      const auto context = diffusion::prepare_prompt(bundle, filled(text, word)).context;
      wanted.push_back({{.latent = {}, .context = context, .class_context = context}, seed_of("class " + word, k)});
    }
  }
  draw(bundle, wanted, settings.picture_steps, before_step);

  std::vector<RainbowTask> tasks(members.size());
  for (std::size_t m = 0; m < members.size(); ++m) {
    std::vector<Tensor> own;
    const auto from = m * static_cast<std::size_t>(settings.candidates);
    for (std::size_t k = from; k < from + static_cast<std::size_t>(settings.candidates); ++k)
      own.push_back(wanted[k].item.latent);
    tasks[m].candidates = latent_features(torch::stack(own));
    // One candidate at least is held back to measure with.
    const auto most = settings.candidates - 1;
    tasks[m].real = members[m].photos.defined()
                        ? latent_features(encode_photos(bundle, members[m].photos, {}).mean).slice(0, 0, most)
                        : torch::zeros({std::min(settings.kept, most), tasks[m].candidates.size(1)});
  }
  Rehearsal made{.kept = std::vector<std::vector<Rehearsed>>(members.size()),
                 .held = std::vector<std::vector<Rehearsed>>(members.size()),
                 .classes = {}};
  const auto chosen = rainbow_selection(tasks, settings.likeness);
  for (std::size_t m = 0; m < members.size(); ++m) {
    for (int64_t k = 0; k < settings.candidates; ++k) {
      const bool is_kept = std::find(chosen[m].begin(), chosen[m].end(), k) != chosen[m].end();
      const auto at = m * static_cast<std::size_t>(settings.candidates) + static_cast<std::size_t>(k);
      (is_kept ? made.kept : made.held)[m].push_back(wanted[at].item);
    }
  }
  for (auto k = members.size() * static_cast<std::size_t>(settings.candidates); k < wanted.size(); ++k)
    made.classes.push_back(wanted[k].item);
  return made;
}

}  // namespace conceptd::learner
