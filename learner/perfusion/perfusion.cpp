#include "learner/perfusion/perfusion.h"

#include "diffusion/token_covariance.h"
#include "learner/learning_loop.h"
#include "learner/new_delta.h"
#include "learner/photo_prompts.h"
#include "learner/preview.h"
#include "learner/settings.h"
#include "learner/settling.h"
#include "learner/step_workers.h"

namespace conceptd::learner {
using diffusion::EditSet;

PerfusionSettings PerfusionSettings::from_json(const nlohmann::json& settings) {
  PerfusionSettings s;
  SettingsReader reader(settings, "perfusion");
  s.StepSettings::read(reader);
  reader.number("value_rate", s.value_rate, 0, 1);
  reader.number("shared_rate", s.shared_rate, 0, 1);
  reader.number("word_rate", s.word_rate, 0, 1);
  reader.number("bias", s.bias, 0, 1);
  reader.number("temperature", s.temperature, 1e-3, 1);
  reader.number("momentum", s.momentum, 0, 1);
  reader.finish();
  return s;
}

nlohmann::json PerfusionSettings::to_json() const {
  nlohmann::json all{{"value_rate", value_rate},   {"shared_rate", shared_rate},
                     {"word_rate", word_rate},     {"bias", bias},
                     {"temperature", temperature}, {"momentum", momentum}};
  StepSettings::write(all);
  return all;
}

namespace {
struct Site {
  std::string path;
  Tensor weight;  // (out, c), frozen
  Tensor output;  // o* (out): a locked key, or a learned value
  Tensor own;     // (out), learned: a value beside W shared; undefined for keys
  bool is_value() const { return own.defined(); }
};

std::vector<Site> cross_attention_sites(diffusion::UNet2DConditionModel& unet) {
  std::vector<Site> sites;
  for (const auto& item : unet->named_modules("", false)) {
    auto* linear = dynamic_cast<diffusion::AdaptedLinearImpl*>(item.value().get());
    if (!linear) continue;
    const auto& path = linear->site.path;
    const bool key = path.ends_with(".attn2.to_k"), value = path.ends_with(".attn2.to_v");
    if (!key && !value) continue;
    const auto weight = linear->matrix().detach().to(torch::kFloat);
    sites.push_back({path, weight, {}, value ? torch::zeros(weight.size(0)).requires_grad_() : Tensor()});
  }
  return sites;
}

// o*_V of every value site, with the graph that leads back to what is learned.
std::vector<Tensor> values_of(const std::vector<Site>& sites, const Tensor& shared) {
  std::vector<Tensor> values;
  for (const auto& site : sites) {
    if (site.is_value()) values.push_back(torch::mv(site.weight, shared) + site.own);
  }
  return values;
}

void set_values(std::vector<Site>& sites, const std::vector<Tensor>& values) {
  std::size_t k = 0;
  for (auto& site : sites) {
    if (site.is_value()) site.output = values[k++];
  }
}

// Everything that one step's forward reads, built anew because i* has moved.
std::shared_ptr<const EditSet> edits_of(const std::vector<Site>& sites, const Tensor& input, const Tensor& key,
                                        const PerfusionSettings& s) {
  auto set = std::make_shared<EditSet>();
  for (const auto& site : sites)
    set->sites[site.path].rank_one.push_back({input, key, site.output, s.bias, s.temperature});
  return set;
}
}  // namespace

Learned PerfusionLearner::learn(const LearnRequest& request, LearnContext& context) {
  auto s = PerfusionSettings::from_json(request.settings);
  s.complete(context.bundle.learning);
  auto& bundle = context.bundle;
  const auto covariance = diffusion::TokenCovariance::of(bundle);
  const auto schedule = diffusion::NoiseSchedule::from_json(bundle.scheduler_config);
  const auto photos = encode_photos(bundle, request.photos, request.masks);
  const PhotoPrompts prompts(bundle, photos, schedule, request.class_word, request.seed);
  diffusion::Adaptation base;

  // Step 0: the word starts as the class word; keys are locked to it, values start there.
  auto word = class_row(bundle, request.class_word).requires_grad_();
  auto sites = cross_attention_sites(bundle.unet);
  Tensor target_input;  // i*
  {
    torch::NoGradGuard frozen;
    const auto states = bundle.text_encoder(prompts.plain().class_ids, base).last_hidden_state;
    target_input = at_position(states, prompts.plain().position).mean(0);  // (c), the class word's mean encoding
    for (auto& site : sites) site.output = torch::mv(site.weight, target_input);
  }
  auto shared = target_input.clone().requires_grad_();
  std::vector<Tensor> own;
  for (const auto& site : sites) {
    if (site.is_value()) own.push_back(site.own);
  }
  torch::optim::Adam adam(
      {learned_at({word}, s.word_rate), learned_at(own, s.value_rate), learned_at({shared}, s.shared_rate)});
  const auto settle_values = [&] {  // as what is learned now has them
    torch::NoGradGuard frozen;
    set_values(sites, values_of(sites, shared));
  };

  StepWorkers workers;
  const auto edits_now = [&] { return edits_of(sites, target_input, covariance.key_of(target_input), s); };
  auto fixed_random = torch::make_generator<at::CPUGeneratorImpl>(request.seed + 1);
  const auto fixed = draw_step(photos, schedule, 4 * s.batch, fixed_random, s.min_snr);
  const auto fixed_loss = [&] {
    torch::NoGradGuard frozen;
    const auto states = encode_rows(bundle, prompts.all(), prompts.rows(0, fixed), word);
    settle_values();
    return workers.loss(fixed, states, StepWorkers::loss_under(bundle, edits_now()));
  };

  const auto delta_base = diffusion::DeltaBase::of(bundle, &covariance);
  const auto delta_now = [&] {
    settle_values();
    auto delta = new_delta("perfusion", request, delta_base, s.to_json());
    delta.covariance_digest = covariance.digest();
    delta.tensors[diffusion::kWordTensor] = word.detach().clone();
    delta.tensors[diffusion::kInputTensor] = target_input;
    for (const auto& site : sites) {
      const auto name = (site.is_value() ? diffusion::kValuePrefix : diffusion::kKeyPrefix) + site.path;
      delta.tensors[name] = site.output.detach().clone();
    }
    return delta;
  };

  LearningLoop loop(s.plan("perfusion", {s.word_rate, s.value_rate, s.shared_rate}), request, context, adam,
                    {{"target_input", &target_input}});
  const double first_loss = fixed_loss();
  const auto take_step = [&](int64_t step, torch::Generator& random) {
    const auto draw = draw_step(photos, schedule, s.batch, random, s.min_snr);
    const auto rows = prompts.rows(step, draw);
    const auto states = encode_rows(bundle, prompts.all(), rows, word);
    const auto seen = at_position(states.detach(), prompts.all().position.index_select(0, rows));
    target_input = s.momentum * target_input + (1 - s.momentum) * seen.mean(0);
    const auto values = values_of(sites, shared);
    std::vector<Tensor> leaves, gradients;  // the workers' graphs end here
    for (const auto& value : values) leaves.push_back(value.detach().requires_grad_());
    set_values(sites, leaves);
    const double loss = workers.backward(draw, states, leaves, StepWorkers::loss_under(bundle, edits_now()));
    for (const auto& leaf : leaves) gradients.push_back(leaf.grad());
    torch::autograd::backward(values, gradients);
    return loss;
  };
  loop.run(take_step, [&] {  // as pictures will be drawn, gate and all
    const auto shown = std::make_shared<const EditSet>(diffusion::delta_edits(delta_now(), delta_base));
    return preview(bundle, shown, "<" + request.name + ">");
  });
  return {delta_now(), loop.metrics(first_loss, fixed_loss(), prompts.passes() + s.steps * s.batch)};
}

}  // namespace conceptd::learner
