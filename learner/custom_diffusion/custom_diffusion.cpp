#include "learner/custom_diffusion/custom_diffusion.h"

#include "diffusion/edits/edited.h"
#include "learner/class_prior.h"
#include "learner/learning_loop.h"
#include "learner/new_delta.h"
#include "learner/photo_prompts.h"
#include "learner/preview.h"
#include "learner/settings.h"
#include "learner/step_workers.h"

namespace conceptd::learner {
using diffusion::Edited;
using diffusion::EditSet;

CustomDiffusionSettings CustomDiffusionSettings::from_json(const nlohmann::json& settings) {
  CustomDiffusionSettings s;
  SettingsReader reader(settings, "custom_diffusion");
  s.StepSettings::read(reader);
  reader.number("rate", s.rate, 0, 1);
  reader.number("word_rate", s.word_rate, 0, 1);
  reader.number("prior_weight", s.prior_weight, 0, 100);
  reader.whole("prior_pictures", s.prior_pictures, 1, 256);
  reader.finish();
  return s;
}

nlohmann::json CustomDiffusionSettings::to_json() const {
  nlohmann::json all{
      {"rate", rate}, {"word_rate", word_rate}, {"prior_weight", prior_weight}, {"prior_pictures", prior_pictures}};
  StepSettings::write(all);
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
  Tensor class_states;  // (t, n, c)
  {
    torch::NoGradGuard frozen;
    diffusion::Adaptation base;
    class_states = bundle.text_encoder(prompts.plain().class_ids, base).last_hidden_state;
  }
  const bool with_prior = s.prior_weight > 0;
  const auto prior =
      with_prior ? class_prior(bundle, request.class_word, s.prior_pictures, request.seed) : PhotoLatents{};

  std::vector<Tensor> layers;
  auto edits = std::make_shared<EditSet>();
  for (const auto& [site, difference] : differences) {
    layers.push_back(difference);
    edits->sites[site].low_rank.push_back({Tensor(), difference});
  }
  const auto group = [](const std::vector<Tensor>& learned, double rate) {
    return torch::optim::OptimizerParamGroup(learned, std::make_unique<torch::optim::AdamOptions>(rate));
  };
  torch::optim::Adam adam({group(layers, s.rate), group({word}, s.word_rate)});
  StepWorkers workers;
  const StepWorkers::LossOf loss_of = [&](const Draw& draw, const Tensor& text) {
    Edited adapt(Edited::Rows(static_cast<std::size_t>(draw.noisy.size(0)), edits));
    const auto prediction = bundle.unet(draw.noisy.to(bundle.compute), draw.timesteps, text.to(bundle.compute), adapt);
    return masked_loss(prediction, draw.target, draw.mask);
  };
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

  LearningLoop loop({.method = "custom_diffusion",
                     .steps = s.steps,
                     .rates = {s.rate, s.word_rate},
                     .settle = s.settle,
                     .preview_every = s.preview_every},
                    request, context, adam);
  const double first_loss = fixed_loss();
  const auto take_step = [&](int64_t step, torch::Generator& noise) {
    auto draw = draw_step(photos, schedule, s.batch, noise, s.min_snr);
    auto text = encode_rows(bundle, prompts.all(), prompts.rows(step, draw), word);
    if (!with_prior) return workers.backward(draw, text, layers, loss_of);
    auto of_class = draw_step(prior, schedule, s.batch, noise, s.min_snr);
    of_class.mask = of_class.mask * s.prior_weight;
    text = torch::cat({text, class_states.index_select(0, template_rows(prompts.plain(), step, s.batch))});
    return workers.backward(joined(draw, of_class), text, layers, loss_of);
  };
  loop.run(take_step, [&] {
    const auto shown = std::make_shared<const EditSet>(diffusion::delta_edits(delta_now(), delta_base));
    return preview(bundle, shown, "<" + request.name + ">");
  });
  return {delta_now(),
          {{"loss_first", first_loss},
           {"loss_last", fixed_loss()},
           {"seconds", loop.seconds()},
           {"unet_passes", s.steps * s.batch * (with_prior ? 2 : 1)}}};
}

}  // namespace conceptd::learner
