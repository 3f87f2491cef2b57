// The evaluator's training: attributes by cross-entropy, identity by contrast between two photos of each of some
// instances. Its seeds are its own.
#include "learner/evaluate/attribute_net.h"
#include "learner/pretrain/roughen.h"
#include "learner/pretrain/scenes.h"
#include "learner/pretrain/step_loop.h"

namespace conceptd::pretrain {
using evaluate::AttributeNet;

namespace {
constexpr std::uint64_t kOwnSeed = 0xe7a1;
constexpr double kIdentityWeight = .5, kIdentityTemperature = .1, kColourWeight = 20, kPatternWeight = 2;

Tensor entropy(const Tensor& logits, const Tensor& wanted) {  // -100: not asked
  if ((wanted >= 0).sum().item<int64_t>() == 0) return logits.sum() * 0;
  return torch::nn::functional::cross_entropy(logits, wanted,
                                              torch::nn::functional::CrossEntropyFuncOptions().ignore_index(-100));
}

// (b, 16, 16): the pattern of the thing that covers most of a cell; -100 elsewhere.
Tensor pattern_map(const std::vector<world::Scene>& scenes) {
  std::vector<Tensor> rows;
  world::Mask mask(world::kSide * world::kSide);
  for (const auto& scene : scenes) {
    auto row = torch::full({16, 16}, -100, torch::kLong);
    for (std::size_t k = 0; k < scene.objects.size(); ++k) {
      world::render_mask(scene, k, mask);
      const auto cover = torch::from_blob(mask.data(), {1, world::kSide, world::kSide}, torch::kByte).to(torch::kFloat);
      row.masked_fill_(torch::avg_pool2d(cover, world::kSide / 16).squeeze(0) > .6 * 255,
                       scene.objects[k].instance.pattern);
    }
    rows.push_back(row);
  }
  return torch::stack(rows);
}

Tensor entropy(const Tensor& logits, const std::vector<int64_t>& targets) {
  return entropy(logits, torch::tensor(targets));
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
  const auto everywhere = entropy(answers.patterns, pattern_map(scenes));
  auto loss = entropy(answers.background, places) + kPatternWeight * everywhere +
              kColourWeight * (answers.colours - painted).pow(2).mean();
  for (int place = 0; place < 2; ++place) {
    for (int question = 0; question < evaluate::kQuestions; ++question) {
      std::vector<int64_t> targets;
      for (const auto& truth : truths) targets.push_back(truth.place[place][question]);
      loss = loss + entropy(answers.place[place][question], targets) * (place ? .5 : 1);
    }
  }
  return loss;
}

constexpr int64_t kSiblings = 4;

// Instances in families of things that share all words, so that hue, proportions and the way a pattern runs must be
// told apart as well; half of the families share a shape.
std::vector<world::Instance> families(int64_t count, world::Random& random, const world::Breadth& breadth) {
  std::vector<world::Instance> all;
  const int shape = static_cast<int>(random() % static_cast<std::uint64_t>(world::trained_shapes()));
  while (static_cast<int64_t>(all.size()) < count) {
    const bool share = all.size() % (2 * kSiblings) < kSiblings;
    const auto eldest = world::sample_instance(random, breadth, share ? std::optional<int>(shape) : std::nullopt);
    all.push_back(eldest);
    for (int64_t k = 1; k < kSiblings && static_cast<int64_t>(all.size()) < count; ++k) {
      auto sibling = world::sample_sibling(eldest, random);
      if (world::near_held_out(sibling)) sibling = world::sample_instance(random, breadth);
      all.push_back(sibling);
    }
  }
  return all;
}

// (n, 64) of one photo each.
Tensor identities(AttributeNet& net, const std::vector<world::Instance>& instances, world::Random& random, bool rough) {
  std::vector<world::Scene> scenes;
  for (const auto& instance : instances) scenes.push_back(world::photograph(instance, random));
  const auto pictures = render_scenes(scenes);
  return net(rough ? roughened(pictures) : pictures).identity;
}

// By contrast between two photos of each instance.
Tensor identity_loss(AttributeNet& net, int64_t count, world::Random& random, const world::Breadth& breadth) {
  const auto instances = families(count, random, breadth);
  const auto a = identities(net, instances, random, true), b = identities(net, instances, random, true);
  const auto logits = torch::matmul(a, b.t()) / kIdentityTemperature;
  const auto same = torch::arange(count);
  return .5 *
         (torch::nn::functional::cross_entropy(logits, same) + torch::nn::functional::cross_entropy(logits.t(), same));
}

// How often the nearest among eight things of the same words is the thing itself; chance is an eighth.
double found_among_siblings(AttributeNet& net, world::Random& random) {
  constexpr int kFamilies = 60, kFamily = 8;
  int64_t found = 0;
  for (int family = 0; family < kFamilies; ++family) {
    std::vector<world::Instance> all{world::sample_instance(random, {.pattern = .75})};
    while (static_cast<int>(all.size()) < kFamily) all.push_back(world::sample_sibling(all.front(), random));
    const auto nearest = torch::matmul(identities(net, all, random, false), identities(net, all, random, false).t());
    found += (nearest.argmax(1) == torch::arange(kFamily)).sum().item<int64_t>();
  }
  return static_cast<double>(found) / (kFamilies * kFamily);
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
  return {{"shape", share(evaluate::kShape)},
          {"first_colour", share(evaluate::kFirst)},
          {"second_colour", share(evaluate::kSecond)},
          {"pattern", share(evaluate::kPattern)},
          {"badge", share(evaluate::kBadge)},
          {"background", static_cast<double>(places) / 1000},
          {"found_among_8_of_the_same_words", found_among_siblings(net, random)}};
}
}  // namespace

void train_evaluator(const StageOptions& options) {
  torch::manual_seed(static_cast<int64_t>(options.seed + kOwnSeed));
  std::vector<AttributeNet> replicas(static_cast<std::size_t>(options.workers));
  for (auto& replica : replicas) replica = AttributeNet();
  FlatParameters flat(*replicas[0]);
  auto gradients = flat.replicate(replicas);
  auto breadth = options.breadth;
  breadth.two_objects = .35;
  const auto micro_batch = [&](int worker, int task, int64_t step) -> Measured {
    auto random = task_random(options.seed + kOwnSeed, step, task);
    auto& net = replicas[static_cast<std::size_t>(worker)];
    const auto attributes = attribute_loss(net, draw_scenes(options.micro_batch, random, breadth));
    const auto identity = identity_loss(net, options.micro_batch / 2, random, breadth);
    (attributes + kIdentityWeight * identity).backward();
    return {{"attributes", attributes.item<double>()}, {"identity", identity.item<double>()}};
  };
  const auto publish = [&](const Tensor& weights, const nlohmann::json& progress) {
    AttributeNet average;
    FlatParameters shown(*average);
    shown.values().copy_(weights);
    const auto measured = measure(average);
    std::printf("  %s\n", measured.dump().c_str());
    save_component(options.out, "attributes.safetensors", shown, shown.values(),
                   {{"measured_on_renders", measured}, {"steps", progress.at("step")}});
  };
  run_steps(options, flat.values(), gradients,
            {.stage = "evaluator",
             .adam = {.beta2 = .99, .ema = .995},
             .hold = .4,
             .micro_batch = micro_batch,
             .publish = publish});
}

}  // namespace conceptd::pretrain
