#include "learner/lora/lora.h"

#include "learner/learning_loop.h"
#include "learner/new_delta.h"
#include "learner/photo_prompts.h"
#include "learner/preview.h"
#include "learner/settings.h"
#include "learner/step_workers.h"

namespace conceptd::learner {
using diffusion::EditSet;

LoraSettings LoraSettings::from_json(const nlohmann::json& settings) {
  LoraSettings s;
  SettingsReader reader(settings, "lora");
  s.StepSettings::read(reader);
  reader.whole("rank", s.rank, 1, 128);
  reader.number("rate", s.rate, 0, 1);
  s.PriorSettings::read(reader);
  reader.finish();
  return s;
}

nlohmann::json LoraSettings::to_json() const {
  nlohmann::json all{{"rank", rank}, {"rate", rate}};
  StepSettings::write(all), PriorSettings::write(all);
  return all;
}

namespace {
struct Adapter {
  std::string site;
  Tensor down, up;  // (r, in), (out, r)
};

std::vector<Adapter> fresh_adapters(diffusion::UNet2DConditionModel& unet, const diffusion::DeltaBase& base,
                                    int64_t rank, torch::Generator& random) {
  std::vector<Adapter> adapters;
  for (const auto& item : unet->named_modules("", false)) {
    const auto layer = base.projections.find(item.key());
    if (layer == base.projections.end()) continue;
    const auto [out, in] = layer->second;
    auto down = torch::randn({rank, in}, random) / static_cast<double>(rank);
    adapters.push_back({item.key(), down.requires_grad_(), torch::zeros({out, rank}).requires_grad_()});
  }
  return adapters;
}
}  // namespace

Learned LoraLearner::learn(const LearnRequest& request, LearnContext& context) {
  auto s = LoraSettings::from_json(request.settings);
  s.complete(context.bundle.learning);
  auto& bundle = context.bundle;
  const auto schedule = diffusion::NoiseSchedule::from_json(bundle.scheduler_config);
  const auto photos = encode_photos(bundle, request.photos, request.masks);
  auto random = torch::make_generator<at::CPUGeneratorImpl>(request.seed + 2);
  const auto delta_base = diffusion::DeltaBase::of(bundle, nullptr);
  auto adapters = fresh_adapters(bundle.unet, delta_base, s.rank, random);
  const auto word = identifier_row(bundle, random), class_word = class_row(bundle, request.class_word);

  // Text never changes: all prompts are encoded once, with the identifier before the class word.
  const PhotoPrompts prompts(bundle, photos, schedule, request.class_word, request.seed, "{} " + request.class_word);
  Tensor states;  // (t, n, c)
  {
    torch::NoGradGuard frozen;
    states = encode_rows(bundle, prompts.all(), torch::arange(prompts.all().ids.size(0)), word);
  }
  const ClassPrior prior(bundle, request.class_word, prompts.plain(), s, s, request.seed);

  std::vector<Tensor> leaves;
  auto edits = std::make_shared<EditSet>();
  for (const auto& adapter : adapters) {
    leaves.push_back(adapter.down), leaves.push_back(adapter.up);
    edits->sites[adapter.site].low_rank.push_back({adapter.down, adapter.up});
  }
  torch::optim::Adam adam(leaves, torch::optim::AdamOptions(s.rate));
  StepWorkers workers;
  const auto loss_of = StepWorkers::loss_under(bundle, edits);
  auto fixed_random = torch::make_generator<at::CPUGeneratorImpl>(request.seed + 1);
  const auto fixed = draw_step(photos, schedule, 4 * s.batch, fixed_random, s.min_snr);
  const auto fixed_loss = [&] {
    torch::NoGradGuard frozen;
    return workers.loss(fixed, states.index_select(0, prompts.rows(0, fixed)), loss_of);
  };

  const auto delta_now = [&] {
    auto delta = new_delta("lora", request, delta_base, s.to_json());
    delta.tensors[diffusion::kWordTensor] = torch::cat({word, class_word});
    for (const auto& adapter : adapters) {
      delta.tensors[diffusion::kDownPrefix + adapter.site] = adapter.down.detach().clone();
      delta.tensors[diffusion::kUpPrefix + adapter.site] = adapter.up.detach().clone();
    }
    return delta;
  };

  LearningLoop loop(s.plan("lora", {s.rate}), request, context, adam);
  const double first_loss = fixed_loss();
  const auto take_step = [&](int64_t step, torch::Generator& noise) {
    auto draw = draw_step(photos, schedule, s.batch, noise, s.min_snr);
    auto text = states.index_select(0, prompts.rows(step, draw));
    prior.join(draw, text, step, noise);
    return workers.backward(draw, text, leaves, loss_of);
  };
  loop.run(take_step, [&] {
    const auto shown = std::make_shared<const EditSet>(diffusion::delta_edits(delta_now(), delta_base));
    return preview(bundle, shown, "<" + request.name + ">");
  });
  return {delta_now(), loop.metrics(first_loss, fixed_loss(),
                                    prompts.passes() + prior.passes() + s.steps * s.batch * prior.passes_a_row())};
}

}  // namespace conceptd::learner
