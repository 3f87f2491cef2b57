// The evaluator's towers: captions and renders against each other (InfoNCE in both directions; Radford et al. 2021,
// fig. 3), the other rows of a micro-batch as negatives.
#include "core/file_io.h"
#include "learner/pretrain/roughen.h"
#include "learner/pretrain/scenes.h"
#include "learner/pretrain/step_loop.h"
#include "learner/pretrain/towers.h"

namespace conceptd::pretrain {
namespace {
constexpr std::uint64_t kOwnSeed = 0x70e5;
constexpr double kTemperature = .07;
// Mostly full descriptions: a caption that says little fits many pictures of a micro-batch.
constexpr world::Naming kNaming{
    .colour = .9, .second_colour = .8, .pattern = .9, .badge = .9, .background = .95, .prefix = .5, .any_shape = .05};

struct Pairs {
  Tensor pictures;
  std::vector<std::string> captions;
};

Pairs draw_pairs(int64_t count, world::Random& random, const world::Breadth& breadth) {
  const auto scenes = draw_scenes(count, random, breadth);
  Pairs pairs{render_scenes(scenes), {}};
  for (const auto& scene : scenes) pairs.captions.push_back(world::caption(scene, random, kNaming));
  return pairs;
}

// Share of pictures whose own caption is the nearest of 100.
double retrieval(Towers& towers) {
  torch::NoGradGuard frozen;
  auto random = task_random(kOwnSeed, 1 << 30, 0);
  double right = 0;
  constexpr int kRounds = 5, kChoices = 100;
  for (int round = 0; round < kRounds; ++round) {
    const auto pairs = draw_pairs(kChoices, random, {.two_objects = .2});
    const auto near = torch::matmul(towers.of_pictures(pairs.pictures), towers.of_captions(pairs.captions).t());
    right += (near.argmax(1) == torch::arange(kChoices)).to(torch::kFloat).mean().item<double>() / kRounds;
  }
  return right;
}
}  // namespace

void train_towers(const StageOptions& options) {
  const auto vocab_json = write_tokenizer(options.out / "tokenizer");
  torch::manual_seed(static_cast<int64_t>(options.seed + kOwnSeed));
  std::vector<Towers> replicas;
  std::vector<torch::nn::ModuleList> both;
  for (int k = 0; k < options.workers; ++k) {
    auto& towers = replicas.emplace_back(vocab_json);
    both.emplace_back(towers.text, towers.image);
  }
  FlatParameters flat(*both[0]);
  auto gradients = flat.replicate(both);
  const auto micro_batch = [&](int worker, int task, int64_t step) -> Measured {
    auto random = task_random(options.seed + kOwnSeed, step, task);
    auto& towers = replicas[static_cast<std::size_t>(worker)];
    const auto pairs = draw_pairs(options.micro_batch, random, options.breadth);
    const auto logits =
        torch::matmul(towers.of_pictures(roughened(pairs.pictures)), towers.of_captions(pairs.captions).t()) /
        kTemperature;
    const auto own = torch::arange(options.micro_batch);
    const auto loss = .5 * (torch::nn::functional::cross_entropy(logits, own) +
                            torch::nn::functional::cross_entropy(logits.t(), own));
    loss.backward();
    return {{"loss", loss.item<double>()}};
  };
  const auto publish = [&](const Tensor& weights, const nlohmann::json&) {
    Towers average(vocab_json);
    torch::nn::ModuleList list(average.text, average.image);
    FlatParameters(*list).values().copy_(weights);
    FlatParameters text(*average.text), image(*average.image);
    save_component(options.out / "text_encoder", "model.safetensors", text, text.values(),
                   average.text->config.to_json());
    save_component(options.out / "image_encoder", "model.safetensors", image, image.values(),
                   average.image->config.to_json());
    auto preprocess = diffusion::ClipPreprocess::for_size(world::kSide);
    preprocess.mean = preprocess.std = {.5, .5, .5};
    std::filesystem::create_directories(options.out / "feature_extractor");
    write_file_durably(options.out / "feature_extractor" / "preprocessor_config.json",
                       preprocess.to_json().dump(2) + "\n");
    std::printf("  finds the caption of a picture among 100: %.3f\n", retrieval(average));
  };
  run_steps(options, flat.values(), gradients,
            {.stage = "towers",
             .adam = {.beta2 = .98, .ema = .995},
             .hold = .4,
             .micro_batch = micro_batch,
             .publish = publish});
}

}  // namespace conceptd::pretrain
