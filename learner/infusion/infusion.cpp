#include "learner/infusion/infusion.h"

#include "diffusion/edits/borrowed_maps.h"
#include "learner/learning_loop.h"
#include "learner/new_delta.h"
#include "learner/photo_prompts.h"
#include "learner/preview.h"
#include "learner/settings.h"
#include "learner/step_workers.h"

namespace conceptd::learner {
using diffusion::EditSet;

InfusionSettings InfusionSettings::from_json(const nlohmann::json& settings) {
  InfusionSettings s;
  SettingsReader reader(settings, "infusion");
  s.StepSettings::read(reader);
  reader.number("rate", s.rate, 0, 1);
  reader.number("decay", s.decay, 0, 1);
  reader.whole("kv_residual_released", s.kv_residual_released, 0, 1);
  reader.whole("compact", s.compact, 0, 1);
  reader.finish();
  if (s.compact && s.kv_residual_released) {
    throw Error(Code::invalid, "infusion's 'compact' holds values only, and 'kv_residual_released' learns keys too",
                "settings.compact");
  }
  return s;
}

nlohmann::json InfusionSettings::to_json() const {
  nlohmann::json all{{"rate", rate}, {"decay", decay}};
  StepSettings::write(all);
  if (kv_residual_released) all["kv_residual_released"] = 1;
  if (compact) all["compact"] = 1;
  return all;
}

namespace {
struct Residual {
  std::string site;
  Tensor value;  // r (out)
  bool is_key = false;
};

std::vector<Residual> residuals_at(const diffusion::DeltaBase& base, bool keys_too) {
  std::vector<Residual> all;
  const auto add = [&](const std::map<std::string, int64_t>& sites, bool is_key) {
    for (const auto& [site, out] : sites) all.push_back({site, torch::zeros({out}).requires_grad_(), is_key});
  };
  add(base.value_sites, false);
  if (keys_too) add(base.key_sites, true);
  return all;
}

// One set a prompt: the same residuals, at that prompt's class word.
std::vector<std::shared_ptr<const EditSet>> edits_for(const std::vector<Residual>& residuals, const Tensor& position,
                                                      bool keeps_maps) {
  std::vector<std::shared_ptr<const EditSet>> sets;
  for (int64_t k = 0; k < position.size(0); ++k) {
    auto set = std::make_shared<EditSet>();
    for (const auto& residual : residuals)
      set->sites[residual.site].residual.push_back({residual.value, {position[k].item<int64_t>()}, "", keeps_maps});
    sets.push_back(std::move(set));
  }
  return sets;
}

// The half of AdamW that Adam lacks (Loshchilov and Hutter 2019, algorithm 2): every value shrinks by the rate.
void shrink(const std::vector<Tensor>& values, const torch::optim::Adam& adam, double decay) {
  torch::NoGradGuard frozen;
  for (auto value : values) value.mul_(1 - adam.param_groups()[0].options().get_lr() * decay);
}
}  // namespace

Learned InfusionLearner::learn(const LearnRequest& request, LearnContext& context) {
  auto s = InfusionSettings::from_json(request.settings);
  s.complete(context.bundle.learning);
  const bool shares_maps = s.kv_residual_released == 0;
  auto& bundle = context.bundle;
  class_row(bundle, request.class_word);  // for its complaint
  const auto schedule = diffusion::NoiseSchedule::from_json(bundle.scheduler_config);
  const auto photos = encode_photos(bundle, request.photos, request.masks);
  const PhotoPrompts prompts(bundle, photos, schedule, request.class_word, request.seed);
  const auto delta_base = diffusion::DeltaBase::of(bundle, nullptr);
  const auto residuals = residuals_at(delta_base, !shares_maps);
  const auto edits = edits_for(residuals, prompts.all().position, shares_maps);
  Tensor states;  // (t, n, c): the words are the base's own, so once is enough
  {
    torch::NoGradGuard frozen;
    diffusion::Adaptation base;
    states = bundle.text_encoder(prompts.all().class_ids, base).last_hidden_state;
  }
  std::vector<Tensor> values;
  for (const auto& residual : residuals) values.push_back(residual.value);
  torch::optim::Adam adam(values, torch::optim::AdamOptions(s.rate));

  StepWorkers workers;
  const StepWorkers::LossOf loss_of = [&](const Draw& draw, const Tensor& text) {
    diffusion::Edited::Rows rows;
    for (int64_t k = 0; k < draw.prompt.size(0); ++k)
      rows.push_back(edits[static_cast<std::size_t>(draw.prompt[k].item<int64_t>())]);
    diffusion::DualStream streams(std::move(rows));
    const auto prediction =
        streams.run(bundle.unet, draw.noisy.to(bundle.compute), draw.timesteps, text.to(bundle.compute));
    return masked_loss(prediction, draw.target, draw.mask);
  };
  const auto draw_for = [&](int64_t step, int64_t b, torch::Generator& random) {
    auto draw = draw_step(photos, schedule, b, random, s.min_snr);
    draw.prompt = prompts.rows(step, draw);
    return draw;
  };
  auto fixed_random = torch::make_generator<at::CPUGeneratorImpl>(request.seed + 1);
  const auto fixed = draw_for(0, 4 * s.batch, fixed_random);
  const auto fixed_loss = [&] {
    torch::NoGradGuard frozen;
    return workers.loss(fixed, states.index_select(0, fixed.prompt), loss_of);
  };
  const auto delta_now = [&] {
    auto delta = new_delta("infusion", request, delta_base, s.to_json());
    delta.compact = s.compact != 0;
    for (const auto& residual : residuals) {
      const auto* prefix = residual.is_key ? diffusion::kKeyResidualPrefix : diffusion::kValueResidualPrefix;
      delta.tensors[prefix + residual.site] = residual.value.detach().clone();
    }
    return delta;
  };

  LearningLoop loop(s.plan("infusion", {s.rate}), request, context, adam);
  const double first_loss = fixed_loss();
  const auto take_step = [&](int64_t step, torch::Generator& random) {
    const auto draw = draw_for(step, s.batch, random);
    const double loss = workers.backward(draw, states.index_select(0, draw.prompt), values, loss_of);
    shrink(values, adam, s.decay);
    return loss;
  };
  loop.run(take_step, [&] {
    const auto stored = diffusion::parse_delta(diffusion::delta_bytes(delta_now()), "the preview");
    const auto shown = std::make_shared<const EditSet>(diffusion::delta_edits(stored, delta_base));
    return preview(bundle, shown, "<" + request.name + ">");
  });
  return {delta_now(),
          loop.metrics(first_loss, fixed_loss(), prompts.passes() + s.steps * s.batch * (shares_maps ? 2 : 1))};
}

}  // namespace conceptd::learner
