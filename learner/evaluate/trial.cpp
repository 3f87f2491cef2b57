#include "learner/evaluate/trial.h"

#include <algorithm>

#include "learner/measures/copy_distance.h"
#include "learner/measures/diversity.h"
#include "learner/measures/wasserstein.h"
#include "learner/pretrain/scenes.h"
#include "learner/pretrain/stages.h"
#include "learner/template.h"

namespace conceptd::evaluate {

namespace {
constexpr int kWithCompanion = 8;
constexpr std::uint64_t kFisherSeed = 0xf15e;

std::string phrase(int background) {
  return std::string(world::background_phrases()[static_cast<std::size_t>(background)]);
}
}  // namespace

std::vector<TrialPrompt> trial_prompts(const HeldOutCase& held) {
  const auto places = held.places_beside();
  auto random = pretrain::task_random(0x721a1, held.index, 0);
  std::vector<TrialPrompt> prompts;
  const auto place = [&](std::size_t k) { return places[k % places.size()]; };
  for (std::size_t k = 0; k < kTrialPromptsAlone; ++k) {
    const std::string begin = (k / places.size()) % 2 ? "a photo of a {} " : "a {} ";
    prompts.push_back({.text = begin + phrase(place(k)), .background = place(k)});
  }
  for (std::size_t k = 0; k < kWithCompanion; ++k) {
    auto companion = world::sample_instance(random, {.pattern = 0, .badge = 0});
    while (companion.shape == held.instance.shape)
      companion = world::sample_instance(random, {.pattern = 0, .badge = 0});
    const auto colour = world::colour_words()[static_cast<std::size_t>(companion.first.word)];
    const auto shape = world::shape_words()[static_cast<std::size_t>(companion.shape)];
    prompts.push_back({.text = "a {} and a " + std::string(colour) + " " + std::string(shape) + " " + phrase(place(k)),
                       .background = place(k),
                       .companion = companion});
  }
  return prompts;
}

nlohmann::json measure_trial(Evaluator& judge, const HeldOutCase& held, const std::vector<TrialPrompt>& prompts,
                             const Tensor& pictures, int64_t seeds, const TrialReferences& references) {
  torch::NoGradGuard frozen;
  const auto alone = pictures.slice(0, 0, kTrialPromptsAlone * seeds);
  IdentityScore identity;
  add_identity(identity, judge.net, alone, held.instance, references.renders.identity);
  const auto seen = look(judge.net, pictures);
  Share background, companion, own_colours;
  std::vector<std::string> captions;
  for (std::size_t k = 0; k < seen.size(); ++k) {
    const auto& prompt = prompts.at(k / static_cast<std::size_t>(seeds));
    captions.push_back(learner::filled(prompt.text, held.word));
    background.count(seen[k].background == prompt.background);
    if (!prompt.companion) continue;
    const auto both = truth_of({.objects = {{.instance = held.instance}, {.instance = *prompt.companion}}});
    const auto right = [&](int at, const Truth& truth) {
      return seen[k].place[at][kShape] == truth.place[at][kShape] &&
             seen[k].place[at][kFirst] == truth.place[at][kFirst];
    };
    companion.count(right(1, both));
    own_colours.count(right(1, both) && right(0, both));
  }
  const auto towers = judge.towers.of_pictures(pictures);
  const auto copies = learner::copy_distance(towers.slice(0, 0, alone.size(0)), references.photos_towers);
  nlohmann::json out = identity.to_json();
  out["background"] = background.value(), out["companion"] = companion.value();
  out["own_colours"] = own_colours.value();
  out["fidelity"] = judge.towers.fit(towers, captions);
  out["image_tower"] =
      torch::matmul(towers.slice(0, 0, alone.size(0)), references.renders.towers.t()).mean().item<double>();
  out["diversity"] = seeds < 2 ? 0. : learner::diversity(towers.slice(0, 0, kTrialPromptsAlone * seeds), seeds);
  out["copy_distance"] = copies.distance.mean().item<double>();
  if (references.plain_towers.defined())
    out["wasserstein"] = learner::empirical_wasserstein(towers, references.plain_towers);
  return out;
}

learner::FisherPlan fisher_plan(diffusion::ModelBundle& bundle, int64_t prompts, int64_t timesteps,
                                const Drawing& drawing) {
  learner::FisherPlanSettings settings{.prompts = {},
                                       .timesteps = timesteps,
                                       .picture_steps = drawing.steps,
                                       .guidance = drawing.guidance,
                                       .seed = kFisherSeed};
  auto random = pretrain::task_random(kFisherSeed, 0, 0);
  while (static_cast<int64_t>(settings.prompts.size()) < prompts) {
    const auto scene = world::sample_scene(random, {});
    settings.prompts.push_back(world::caption(scene, random));
  }
  return {bundle, std::move(settings)};
}

}  // namespace conceptd::evaluate
