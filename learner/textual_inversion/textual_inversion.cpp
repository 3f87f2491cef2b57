#include "learner/textual_inversion/textual_inversion.h"

#include "learner/learning_loop.h"
#include "learner/new_delta.h"
#include "learner/photo_prompts.h"
#include "learner/preview.h"
#include "learner/settings.h"
#include "learner/step_workers.h"

namespace conceptd::learner {
using diffusion::EditSet;

TextualInversionSettings TextualInversionSettings::from_json(const nlohmann::json& settings) {
  TextualInversionSettings s;
  SettingsReader reader(settings, "textual_inversion");
  s.StepSettings::read(reader);
  reader.number("rate", s.rate, 0, 1);
  reader.finish();
  return s;
}

nlohmann::json TextualInversionSettings::to_json() const {
  nlohmann::json all{{"rate", rate}};
  StepSettings::write(all);
  return all;
}

Learned TextualInversionLearner::learn(const LearnRequest& request, LearnContext& context) {
  auto s = TextualInversionSettings::from_json(request.settings);
  s.complete(context.bundle.learning);
  auto& bundle = context.bundle;
  const auto schedule = diffusion::NoiseSchedule::from_json(bundle.scheduler_config);
  const auto photos = encode_photos(bundle, request.photos, request.masks);
  const PhotoPrompts prompts(bundle, photos, schedule, request.class_word, request.seed);
  auto word = class_row(bundle, request.class_word).requires_grad_();
  torch::optim::Adam adam({word}, torch::optim::AdamOptions(s.rate));

  StepWorkers workers;
  const auto loss_of = StepWorkers::loss_under(bundle, nullptr);
  auto fixed_random = torch::make_generator<at::CPUGeneratorImpl>(request.seed + 1);
  const auto fixed = draw_step(photos, schedule, 4 * s.batch, fixed_random, s.min_snr);
  const auto fixed_loss = [&] {
    torch::NoGradGuard frozen;
    return workers.loss(fixed, encode_rows(bundle, prompts.all(), prompts.rows(0, fixed), word), loss_of);
  };

  LearningLoop loop(s.plan("textual_inversion", {s.rate}), request, context, adam);
  const double first_loss = fixed_loss();
  const auto take_step = [&](int64_t step, torch::Generator& random) {
    const auto draw = draw_step(photos, schedule, s.batch, random, s.min_snr);
    const auto states = encode_rows(bundle, prompts.all(), prompts.rows(step, draw), word);
    return workers.backward(draw, states, {}, loss_of);
  };
  loop.run(take_step, [&] {
    auto shown = std::make_shared<EditSet>();
    shown->tokens.push_back({"<" + request.name + ">", word.detach().clone()});
    return preview(bundle, shown, "<" + request.name + ">");
  });

  auto delta = new_delta("textual_inversion", request, diffusion::DeltaBase::of(bundle, nullptr), s.to_json());
  delta.tensors[diffusion::kWordTensor] = word.detach();
  return {delta, loop.metrics(first_loss, fixed_loss(), prompts.passes() + s.steps * s.batch)};
}

}  // namespace conceptd::learner
