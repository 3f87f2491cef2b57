#include "learner/custom_diffusion/custom_diffusion.h"

#include "learner/learning_loop.h"
#include "learner/new_delta.h"
#include "learner/photo_prompts.h"
#include "learner/preview.h"
#include "learner/settings.h"
#include "learner/settling.h"
#include "learner/step_workers.h"

namespace conceptd::learner {
using diffusion::EditSet;

CustomDiffusionSettings CustomDiffusionSettings::from_json(const nlohmann::json& settings) {
  CustomDiffusionSettings s;
  SettingsReader reader(settings, "custom_diffusion");
  s.StepSettings::read(reader);
  reader.number("rate", s.rate, 0, 1);
  reader.number("word_rate", s.word_rate, 0, 1);
  s.PriorSettings::read(reader);
  reader.finish();
  return s;
}

nlohmann::json CustomDiffusionSettings::to_json() const {
  nlohmann::json all{{"rate", rate}, {"word_rate", word_rate}};
  StepSettings::write(all), PriorSettings::write(all);
  return all;
}

namespace {
std::map<std::string, Tensor> no_differences(const diffusion::DeltaBase& base) {
  std::map<std::string, Tensor> differences;
  for (const auto* sites : {&base.key_sites, &base.value_sites}) {
    for (const auto& [site, out] : *sites) differences[site] = torch::zeros({out, base.text_width}).requires_grad_();
  }
  return differences;
}
}  // namespace

Learned CustomDiffusionLearner::learn(const LearnRequest& request, LearnContext& context) {
  auto s = CustomDiffusionSettings::from_json(request.settings);
  s.complete(context.bundle.learning);
  auto& bundle = context.bundle;
  const auto schedule = diffusion::NoiseSchedule::from_json(bundle.scheduler_config);
  const auto photos = encode_photos(bundle, request.photos, request.masks);
  auto random = torch::make_generator<at::CPUGeneratorImpl>(request.seed + 2);
  const auto delta_base = diffusion::DeltaBase::of(bundle, nullptr);
  const auto differences = no_differences(delta_base);
  auto word = identifier_row(bundle, random).clone().requires_grad_();
  const auto class_word = class_row(bundle, request.class_word);

  const PhotoPrompts prompts(bundle, photos, schedule, request.class_word, request.seed, "{} " + request.class_word);
  const ClassPrior prior(bundle, request.class_word, prompts.plain(), s, s, request.seed);

  std::vector<Tensor> layers;
  auto edits = std::make_shared<EditSet>();
  for (const auto& [site, difference] : differences) {
    layers.push_back(difference);
    edits->sites[site].low_rank.push_back({Tensor(), difference});
  }
  torch::optim::Adam adam({learned_at(layers, s.rate), learned_at({word}, s.word_rate)});
  StepWorkers workers;
  const auto loss_of = StepWorkers::loss_under(bundle, edits);
  auto fixed_random = torch::make_generator<at::CPUGeneratorImpl>(request.seed + 1);
  const auto fixed = draw_step(photos, schedule, 4 * s.batch, fixed_random, s.min_snr);
  const auto fixed_loss = [&] {
    torch::NoGradGuard frozen;
    return workers.loss(fixed, encode_rows(bundle, prompts.all(), prompts.rows(0, fixed), word), loss_of);
  };

  const auto delta_now = [&] {
    auto delta = new_delta("custom_diffusion", request, delta_base, s.to_json());
    delta.tensors[diffusion::kWordTensor] = torch::cat({word.detach(), class_word});
    for (const auto& [site, difference] : differences)
      delta.tensors[diffusion::kDifferencePrefix + site] = difference.detach().clone();
    return delta;
  };

  LearningLoop loop(s.plan("custom_diffusion", {s.rate, s.word_rate}), request, context, adam);
  const double first_loss = fixed_loss();
  const auto take_step = [&](int64_t step, torch::Generator& noise) {
    auto draw = draw_step(photos, schedule, s.batch, noise, s.min_snr);
    auto text = encode_rows(bundle, prompts.all(), prompts.rows(step, draw), word);
    prior.join(draw, text, step, noise);
    return workers.backward(draw, text, layers, loss_of);
  };
  loop.run(take_step, [&] {
    const auto shown = std::make_shared<const EditSet>(diffusion::delta_edits(delta_now(), delta_base));
    return preview(bundle, shown, "<" + request.name + ">");
  });
  return {delta_now(), loop.metrics(first_loss, fixed_loss(),
                                    prompts.passes() + prior.passes() + s.steps * s.batch * prior.passes_a_row())};
}

}  // namespace conceptd::learner
