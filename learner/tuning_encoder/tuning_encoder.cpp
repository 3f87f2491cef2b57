#include "learner/tuning_encoder/tuning_encoder.h"

#include "learner/learning_loop.h"
#include "learner/new_delta.h"
#include "learner/photo_prompts.h"
#include "learner/preview.h"
#include "learner/settings.h"
#include "learner/step_workers.h"
#include "learner/tuning_encoder/encoder.h"
#include "learner/tuning_encoder/neighbours.h"
#include "learner/tuning_encoder/unet_features.h"

namespace conceptd::learner {
using diffusion::EditSet;

TuningEncoderSettings TuningEncoderSettings::from_json(const nlohmann::json& settings) {
  TuningEncoderSettings s;
  s.steps = kStepsMax, s.batch = 8;
  SettingsReader reader(settings, "tuning_encoder");
  s.StepSettings::read(reader, 0, kStepsMax);
  reader.number("rate", s.rate, 0, 1);
  reader.number("alpha", s.alpha, 0, 1);
  reader.number("near_weight", s.near_weight, 0, 100);
  reader.number("length_weight", s.length_weight, 0, 100);
  reader.whole("hard_class", s.hard_class, 0, 1);
  reader.finish();
  return s;
}

nlohmann::json TuningEncoderSettings::to_json() const {
  nlohmann::json all{{"mode", "outputs"},
                     {"rate", rate},
                     {"alpha", alpha},
                     {"near_weight", near_weight},
                     {"length_weight", length_weight},
                     {"hard_class", hard_class}};
  StepSettings::write(all);
  return all;
}

namespace {
constexpr double kLooks[]{.1, .3, .5, .7};  // of the schedule
constexpr int64_t kHardFrozenAt = 4;        // steps

// The mean over the photos, each looked at through these noises.
Prediction first_prediction(EncoderBundle& tuning, diffusion::ModelBundle& bundle, const LearnRequest& request,
                            const PhotoLatents& photos, const diffusion::NoiseSchedule& schedule) {
  const torch::NoGradGuard no_grad;
  auto random = torch::make_generator<at::CPUGeneratorImpl>(request.seed + 2);
  diffusion::Adaptation base;
  const auto none = bundle.tokenizer.encode("");
  const auto empty = bundle.text_encoder(diffusion::ids_tensor({&none, 1}), base).last_hidden_state[0];
  std::vector<int64_t> at;
  for (const auto look : kLooks) at.push_back(static_cast<int64_t>(look * static_cast<double>(schedule.train_steps())));
  const auto timesteps = torch::tensor(at);
  const auto looks = timesteps.size(0), k = photos.mean.size(0);
  Prediction sum;
  for (int64_t photo = 0; photo < k; ++photo) {
    const auto many = [&](const Tensor& all) {
      return all.slice(0, photo, photo + 1).expand({looks, -1, -1, -1}).to(torch::kFloat).contiguous();
    };
    const auto latents = many(photos.mean);
    const auto noisy = schedule.add_noise(latents, torch::randn(latents.sizes(), random), timesteps);
    const auto levels = unet_features(bundle.unet, noisy, timesteps, empty);
    const auto p = tuning.encoder(many(request.photos), levels, tuning.words.mean(0));
    const auto add = [&](Tensor& to, const Tensor& rows) {
      const auto mean = rows.mean(0) / static_cast<double>(k);
      to = to.defined() ? to + mean : mean;
    };
    add(sum.word, p.word), add(sum.down, p.down), add(sum.up, p.up);
  }
  sum.word = sum.word.unsqueeze(0);
  return sum;
}
}  // namespace

Learned TuningEncoderLearner::learn(const LearnRequest& request, LearnContext& context) {
  auto s = TuningEncoderSettings::from_json(request.settings);
  s.complete(context.bundle.learning);
  auto& bundle = context.bundle;
  auto tuning = EncoderBundle::open(EncoderBundle::beside(bundle.folder), bundle);
  const auto schedule = diffusion::NoiseSchedule::from_json(bundle.scheduler_config);
  const auto photos = encode_photos(bundle, request.photos, request.masks);
  const auto delta_base = diffusion::DeltaBase::of(bundle, nullptr);
  auto learnt = first_prediction(tuning, bundle, request, photos, schedule);
  for (auto* leaf : {&learnt.word, &learnt.down, &learnt.up}) leaf->requires_grad_();

  auto hard = nearest_words(learnt.word, tuning.words, 1)[0];  // (1) int64, of tuning.words
  const auto hard_word = [&] {
    return s.hard_class ? request.class_word
                        : tuning.encoder->config.words.at(static_cast<std::size_t>(hard.item<int64_t>()));
  };
  const PhotoPrompts prompts(bundle, photos, schedule, hard_word(), request.seed);
  std::pair<std::string, Tensor> hard_states;  // (t, n, c) of all prompts, with this word
  const auto read_hard_word = [&] {
    if (hard_states.first == hard_word()) return;
    const torch::NoGradGuard no_grad;
    const auto all = torch::arange(prompts.all().ids.size(0));
    hard_states = {hard_word(), encode_rows(bundle, prompts.all(), all, class_row(bundle, hard_word()))};
  };
  const auto now = [&](const Tensor& hard_context) {
    auto set = std::make_shared<EditSet>(soft_edits(learnt, tuning.sites));
    set->hard = diffusion::HardPath{.alpha = s.alpha, .words = {}, .context = hard_context};
    return set;
  };
  const auto loss_of = [&](const Draw& part, const Tensor& states) {
    const auto set = now(hard_states.second.index_select(0, part.prompt));
    return StepWorkers::loss_under(bundle, set)(part, states);
  };

  torch::optim::Adam adam({learnt.word, learnt.down, learnt.up}, torch::optim::AdamOptions(s.rate));
  StepWorkers workers;
  auto fixed_random = torch::make_generator<at::CPUGeneratorImpl>(request.seed + 1);
  auto fixed = draw_step(photos, schedule, s.batch, fixed_random, s.min_snr);
  fixed.prompt = prompts.rows(0, fixed);
  const auto fixed_loss = [&] {
    const torch::NoGradGuard no_grad;
    read_hard_word();
    return workers.loss(fixed, encode_rows(bundle, prompts.all(), fixed.prompt, learnt.word), loss_of);
  };
  const auto delta_now = [&] {
    auto delta = new_delta("tuning_encoder", request, delta_base, s.to_json());
    if (delta.class_word.empty()) delta.class_word = hard_word();
    delta.hard_word = hard_word(), delta.alpha = s.alpha;
    delta.tensors[diffusion::kWordTensor] = learnt.word.detach().clone();
    for (const auto& [site, edits] : soft_edits(learnt, tuning.sites).sites) {
      delta.tensors[diffusion::kDownPrefix + site] = edits.low_rank[0].down.detach().clone();
      delta.tensors[diffusion::kUpPrefix + site] = edits.low_rank[0].up.detach().clone();
    }
    return delta;
  };

  LearningLoop loop(s.plan("tuning_encoder", {s.rate}), request, context, adam, {{"hard", &hard}});
  const double first_loss = fixed_loss();
  const auto take_step = [&](int64_t step, torch::Generator& random) {
    if (step < kHardFrozenAt) hard = nearest_words(learnt.word, tuning.words, 1)[0];
    read_hard_word();
    auto draw = draw_step(photos, schedule, s.batch, random, s.min_snr);
    draw.prompt = prompts.rows(step, draw);
    const auto states = encode_rows(bundle, prompts.all(), draw.prompt, learnt.word);
    const double loss = workers.backward(draw, states, {learnt.down, learnt.up}, loss_of);
    const auto near = nearest_words(learnt.word, tuning.words, kLossNeighbours);
    const auto kept = s.near_weight * neighbour_loss(learnt.word, tuning.words, near, tuning.others) +
                      s.length_weight * length_loss(learnt.word);
    kept.backward();
    return loss + kept.item<double>();
  };
  loop.run(take_step, [&] {
    const auto shown = std::make_shared<const EditSet>(diffusion::delta_edits(delta_now(), delta_base));
    return preview(bundle, shown, "<" + request.name + ">");
  });
  auto metrics = loop.metrics(first_loss, fixed_loss(), s.steps * s.batch);
  metrics["encoder_passes"] = static_cast<int64_t>(std::size(kLooks)) * photos.mean.size(0);
  metrics["hard_word"] = hard_word();
  return {delta_now(), metrics};
}

}  // namespace conceptd::learner
