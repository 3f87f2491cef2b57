// The denoiser: v-prediction (Salimans & Ho 2022), caption dropout for guidance, frozen text and latents. The weight of
// a timestep is the square root of min-SNR-5 (Hang et al. 2023): what a thing is, its colour and its outline, is
// decided at SNRs of .03 to .4 in a code as small as this one, where min-SNR itself hardly looks.
#include "core/file_io.h"
#include "learner/objective.h"
#include "learner/pretrain/caption_reading.h"
#include "learner/pretrain/frozen_parts.h"
#include "learner/pretrain/grow.h"
#include "learner/pretrain/individuals.h"
#include "learner/pretrain/latent_pool.h"
#include "learner/pretrain/noun_attention.h"
#include "learner/pretrain/one_row.h"
#include "learner/pretrain/sampling.h"
#include "learner/pretrain/step_loop.h"

namespace conceptd::pretrain {
using diffusion::UNet2DConditionModel;
namespace fs = std::filesystem;

namespace {
constexpr double kCaptionDropout = .1, kOneRow = .5, kBareKeys = .6, kNounWeight = .05;
constexpr int64_t kFresh = 4;

diffusion::UNetConfig config(const diffusion::AutoencoderKLConfig& vae, int64_t text_width) {
  diffusion::UNetConfig c;
  c.in_channels = c.out_channels = vae.latent_channels;
  c.sample_size = vae.sample_size >> (vae.block_out_channels.size() - 1);
  c.block_out_channels = {64, 128, 192}, c.attention = {false, true, true}, c.heads = {4, 4, 4},
  c.transformer_layers = {1, 1, 1};
  c.layers_per_block = {3, 1, 1}, c.norm_groups = 16, c.cross_attention_width = text_width;
  return c;
}

Tensor states_of(FrozenParts& frozen, const std::vector<std::string>& captions) {  // (b, n, c)
  return frozen.read(captions).last_hidden_state;
}

struct Loss {
  Tensor weighted;              // scalar: the denoiser's
  double noisy = 0, clean = 0;  // plain error of v over the upper and the lower half of the schedule
  Tensor nouns;                 // scalar
  double noun_share = 0;
};

Loss loss_of(UNet2DConditionModel& unet, const Tensor& latents, const Shown& context, const Nouns& nouns,
             const Tensor& alphas) {
  const auto b = latents.size(0);
  const auto t = (one_in_each_slice(b) * 1000).to(torch::kLong).clamp_max(999);
  const auto a = alphas.index_select(0, t).view({b, 1, 1, 1});
  const auto noise = torch::randn_like(latents);
  const auto noisy = a.sqrt() * latents + (1 - a).sqrt() * noise, target = a.sqrt() * noise - (1 - a).sqrt() * latents;
  NounAttention watched(nouns, context.keys);
  const auto error = (unet(noisy, t, context.states, watched) - target).pow(2).mean({1, 2, 3});
  const auto snr = (a / (1 - a)).view({b});
  const auto upper = (t >= 500).to(torch::kFloat), plain = error.detach();
  const auto mean_over = [&](const Tensor& rows) { return ((plain * rows).sum() / rows.sum()).item<double>(); };
  return {(error * learner::min_snr_weights(snr, kMinSnr)).mean(), mean_over(upper), mean_over(1 - upper),
          watched.loss(), watched.share()};
}

// said (b, n, c): values are told of individuals, and keys where they are made of the same row.
void show_individuals(Shown& context, const std::vector<Phrases>& phrases, const Tensor& said) {
  context.states += said;
  for (std::size_t row = 0; row < phrases.size(); ++row) {
    const auto k = static_cast<int64_t>(row);
    if (phrases[row] == Phrases::in_one_row) context.keys[k] += said[k];
  }
}

std::vector<std::string> grid_captions() {
  return {"a red mug on the beach",
          "a blue car on the grass",
          "a green kettle on a table",
          "a yellow duck in the sea",
          "a purple house at sunset",
          "a pink flower in the desert",
          "a teal boat in the sea",
          "an orange fish in the sea",
          "a striped red and yellow shirt",
          "a dotted blue hat in the snow",
          "a checked green backpack",
          "a blue mug with a star at night",
          "a red rocket on the moon",
          "a cat in the snow",
          "a kettle on a table",
          "a kettle on a table",
          "a clock at night",
          "a robot with a heart",
          "a striped purple umbrella",
          "a crown in the sky",
          "a red ball and a blue ball",
          "a red car and a green tree",
          "a yellow duck and a purple boot",
          "a pink house and a blue boat at night"};
}

void draw_grid(FrozenParts& frozen, UNet2DConditionModel& unet, const fs::path& path) {
  auto captions = grid_captions();
  for (auto& caption : captions) {
    if (caption.starts_with("an ")) caption.erase(1, 1);
  }
  const auto latents =
      sample_ddim(unet, states_of(frozen, captions), states_of(frozen, {""}), world::kSide / 4, 25, 2.5, 7);
  frozen.save_grid_of(latents, path);
}
}  // namespace

void train_unet(const StageOptions& options) {
  FrozenParts frozen(options.out);
  const auto settings = config(frozen.vae->config, frozen.text->config.hidden_size);
  torch::manual_seed(static_cast<int64_t>(options.seed));
  std::vector<UNet2DConditionModel> replicas;
  for (int k = 0; k < options.workers; ++k) replicas.emplace_back(settings);
  const auto folder = RunFolder{options.run}.stage("unet"), published = options.out / "unet";
  if (fs::exists(published / "training.json")) {  // what the run's own folder has goes before it
    load_grown(published / "diffusion_pytorch_model.safetensors", replicas[0]);
  }
  FlatParameters flat(*replicas[0]);
  auto gradients = flat.replicate(replicas);
  std::vector<LatentPool> pools;
  for (int k = 0; k < options.workers; ++k) pools.emplace_back(frozen.vae, 16384);
  const auto alphas = alphas_cumprod();
  const bool has_individuals = options.individuals > 0;
  const Individuals individuals(settings.cross_attention_width, states_of(frozen, {"a thing"}).std().item<double>());
  UNet2DConditionModel average(settings);
  FlatParameters shown(*average);
  const auto micro_batch = [&](int worker, int task, int64_t step) -> Measured {
    auto random = task_random(options.seed, step, task);
    const auto replica = static_cast<std::size_t>(worker);
    const auto batch = pools[replica].draw(options.micro_batch, kFresh, random, options.breadth);
    const auto with_chance = [&](double share) { return static_cast<double>(random() % 1000) < 1000 * share; };
    std::vector<std::string> captions;
    std::vector<Phrases> phrases;
    std::vector<bool> is_individual;
    for (const auto& scene : batch.scenes) {
      captions.push_back(with_chance(kCaptionDropout) ? "" : world::caption(scene, random));
      phrases.push_back(!with_chance(kOneRow)    ? Phrases::spread
                        : with_chance(kBareKeys) ? Phrases::values_in_one_row
                                                 : Phrases::in_one_row);
      is_individual.push_back(has_individuals && phrases.back() != Phrases::spread && with_chance(options.individuals));
      if (is_individual.back()) captions.back() = bare_caption(captions.back()).text;  // a name needs no adjectives
    }
    auto context = encode_phrases(captions, phrases,
                                  [&](const std::vector<std::string>& texts) { return states_of(frozen, texts); });
    const auto nouns = find_nouns(captions, batch.scenes);
    if (has_individuals)
      show_individuals(context, phrases, individuals.said_in(nouns.tokens, batch.scenes, is_individual));
    const auto loss = loss_of(replicas[replica], batch.latents, context, nouns, alphas);
    (loss.weighted + kNounWeight * loss.nouns).backward();
    return {{"loss", loss.weighted.item<double>()},
            {"noisy", loss.noisy},
            {"clean", loss.clean},
            {"nouns", loss.noun_share}};
  };
  const auto publish = [&](const Tensor& weights, const nlohmann::json& progress) {
    publish_denoiser(published, shown, weights, settings.to_json(), progress);
  };
  const auto look = [&](const Tensor& weights, int64_t images) {
    shown.values().copy_(weights);
    draw_grid(frozen, average, folder / ("grid-" + std::to_string(images / 1000) + "k.png"));
  };
  run_steps(options, flat.values(), gradients,
            {.stage = "unet",
             .adam = {.ema = .998},
             .warmup = 200,
             .begun = begun_at(published),
             .at_start = [&](int64_t step) { torch::manual_seed(static_cast<int64_t>(options.seed) + step); },
             .micro_batch = micro_batch,
             .publish = publish,
             .look = look});
}

}  // namespace conceptd::pretrain
