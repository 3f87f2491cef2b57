// The evaluator's training: attributes by cross-entropy, identity by contrast between two photos of each of some
// instances. Its seeds are its own.
#include "learner/evaluate/attribute_net.h"
#include "learner/pretrain/checkpoint.h"
#include "learner/pretrain/progress.h"
#include "learner/pretrain/roughen.h"
#include "learner/pretrain/scenes.h"
#include "learner/pretrain/stages.h"

namespace conceptd::pretrain {
using evaluate::AttributeNet;

namespace {
constexpr std::uint64_t kOwnSeed = 0xe7a1;
constexpr double kIdentityWeight = .5, kIdentityTemperature = .1, kColourWeight = 20;

Tensor cross(const Tensor& logits, const std::vector<int64_t>& targets) {
  const auto wanted = torch::tensor(targets);
  if ((wanted >= 0).sum().item<int64_t>() == 0) return logits.sum() * 0;
  return torch::nn::functional::cross_entropy(logits, wanted,
                                              torch::nn::functional::CrossEntropyFuncOptions().ignore_index(-100));
}

Tensor attribute_loss(AttributeNet& net, const std::vector<world::Scene>& scenes) {
  const auto answers = net(roughened(render_scenes(scenes)));
  std::vector<evaluate::Truth> truths;
  for (const auto& scene : scenes) truths.push_back(evaluate::truth_of(scene));
  std::vector<int64_t> places;
  for (const auto& truth : truths) places.push_back(truth.background);
  std::vector<float> colours;
  for (const auto& truth : truths) colours.insert(colours.end(), truth.colours.begin(), truth.colours.end());
  const auto painted = torch::tensor(colours).view({-1, 6});
  auto loss = cross(answers.background, places) + kColourWeight * (answers.colours - painted).pow(2).mean();
  for (int place = 0; place < 2; ++place) {
    for (int question = 0; question < evaluate::kQuestions; ++question) {
      std::vector<int64_t> targets;
      for (const auto& truth : truths) targets.push_back(truth.place[place][question]);
      loss = loss + cross(answers.place[place][question], targets) * (place ? .5 : 1);
    }
  }
  return loss;
}

// Two photos of each instance; half of the instances share one shape, so that colour and pattern must be told apart as
// well.
Tensor identity_loss(AttributeNet& net, int64_t count, world::Random& random, const world::Breadth& breadth) {
  std::vector<world::Scene> first, second;
  const int shape = static_cast<int>(random() % static_cast<std::uint64_t>(world::trained_shapes()));
  for (int64_t k = 0; k < count; ++k) {
    const auto instance = world::sample_instance(random, breadth, k % 2 ? std::optional<int>(shape) : std::nullopt);
    first.push_back(world::photograph(instance, random)), second.push_back(world::photograph(instance, random));
  }
  const auto a = net(roughened(render_scenes(first))).identity, b = net(roughened(render_scenes(second))).identity;
  const auto logits = torch::matmul(a, b.t()) / kIdentityTemperature;
  const auto same = torch::arange(count);
  return .5 *
         (torch::nn::functional::cross_entropy(logits, same) + torch::nn::functional::cross_entropy(logits.t(), same));
}

nlohmann::json measure(AttributeNet& net) {
  torch::NoGradGuard frozen;
  auto random = task_random(kOwnSeed, 1 << 30, 0);
  const auto scenes = draw_scenes(1000, random, {.two_objects = .3});
  const auto answers = net(render_scenes(scenes));
  int64_t right[evaluate::kQuestions] = {}, asked[evaluate::kQuestions] = {}, places = 0;
  for (std::size_t k = 0; k < scenes.size(); ++k) {
    const auto truth = evaluate::truth_of(scenes[k]);
    const auto row = static_cast<int64_t>(k);
    places += answers.background[row].argmax().item<int64_t>() == truth.background;
    for (int question = 0; question < evaluate::kQuestions; ++question) {
      if (truth.place[0][question] < 0) continue;
      ++asked[question];
      right[question] += answers.place[0][question][row].argmax().item<int64_t>() == truth.place[0][question];
    }
  }
  const auto share = [&](int q) {
    return static_cast<double>(right[q]) / static_cast<double>(std::max<int64_t>(1, asked[q]));
  };
  return {{"shape", share(evaluate::kShape)},          {"first_colour", share(evaluate::kFirst)},
          {"second_colour", share(evaluate::kSecond)}, {"pattern", share(evaluate::kPattern)},
          {"badge", share(evaluate::kBadge)},          {"background", static_cast<double>(places) / 1000}};
}
}  // namespace

void train_evaluator(const StageOptions& options) {
  const auto folder = RunFolder{options.run}.stage("evaluator");
  torch::manual_seed(static_cast<int64_t>(options.seed + kOwnSeed));
  std::vector<AttributeNet> replicas(static_cast<std::size_t>(options.workers));
  for (auto& replica : replicas) replica = AttributeNet();
  FlatParameters flat(*replicas[0]);
  auto gradients = flat.replicate(replicas);
  Adam adam(flat.values(), {.beta2 = .99, .ema = .995});
  const auto resumed = load_resume(folder, adam);
  int64_t step = resumed ? resumed->value("step", int64_t{0}) : 0;
  Workers workers(options.workers);
  Progress progress("evaluator", step, options.steps);
  double saved_s = 0;
  const auto save = [&] {
    AttributeNet average;
    FlatParameters shown(*average);
    shown.values().copy_(adam.average);
    const auto measured = measure(average);
    std::printf("  %s\n", measured.dump().c_str());
    save_resume(folder, adam, {{"step", step}});
    save_component(options.out, "attributes.safetensors", shown, shown.values(),
                   {{"measured_on_renders", measured}, {"steps", step}});
  };
  while (step < options.steps) {
    std::vector<std::pair<double, double>> losses(options.micro_batches);
    workers.run(static_cast<int>(options.micro_batches), [&](int worker, int task) {
      auto random = task_random(options.seed + kOwnSeed, step, task);
      world::Breadth breadth = options.breadth;
      breadth.two_objects = .35;
      const auto attributes = attribute_loss(replicas[worker], draw_scenes(options.micro_batch, random, breadth));
      const auto identity = identity_loss(replicas[worker], options.micro_batch / 2, random, breadth);
      ((attributes + kIdentityWeight * identity) / static_cast<double>(options.micro_batches)).backward();
      losses[task] = {attributes.item<double>(), identity.item<double>()};
    });
    adam.step(workers, gradients, learning_rate(step, options.steps, options.rate, 100, .4), step);
    for (const auto& [attributes, identity] : losses)
      progress.measure("attributes", attributes), progress.measure("identity", identity);
    progress.advance(++step, 2 * options.micro_batch * options.micro_batches);
    if (progress.seconds() - saved_s > options.checkpoint_s) save(), saved_s = progress.seconds();
  }
  save();
}

}  // namespace conceptd::pretrain
