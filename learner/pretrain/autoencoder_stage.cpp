// The autoencoder, whole; and its decoder alone, for more of the same world.
#include "diffusion/autoencoder_kl.h"

#include "core/file_io.h"
#include "learner/pretrain/scenes.h"
#include "learner/pretrain/step_loop.h"

namespace conceptd::pretrain {
using diffusion::AutoencoderKL;

namespace {
constexpr double kKlWeight = 2e-3, kAbsoluteWeight = .3;
constexpr double kRoughest = .2;  // of the latents' spread: noise that the decoder alone is trained with, at most

diffusion::AutoencoderKLConfig config() {
  diffusion::AutoencoderKLConfig c;
  c.block_out_channels = {16, 48, 96};
  c.layers_per_block = 1, c.latent_channels = 6, c.norm_groups = 8, c.sample_size = world::kSide;
  return c;
}

struct Losses {
  Tensor total;
  double squared = 0, kl = 0;
};

Losses loss_of(AutoencoderKL& vae, const Tensor& pictures) {
  const auto posterior = vae->encode(pictures);
  const auto latent = posterior.mean + posterior.std() * torch::randn_like(posterior.mean);
  const auto difference = vae->decode(latent) - pictures;
  const auto squared = difference.pow(2).mean();
  const auto kl = posterior.kl().mean() / static_cast<double>(latent[0].numel());
  return {squared + kAbsoluteWeight * difference.abs().mean() + kKlWeight * kl, squared.item<double>(),
          kl.item<double>()};
}

// Of weights, on scenes that training never drew.
nlohmann::json measure(AutoencoderKL& vae, const std::filesystem::path& grid) {
  torch::NoGradGuard frozen;
  auto random = task_random(0x7e57, 0, 0);
  const auto scenes = draw_scenes(128, random, {});
  const auto pictures = render_scenes(scenes);
  const auto posterior = vae->encode(pictures);
  const auto decoded = vae->decode(posterior.mean).clamp(-1, 1);
  const auto mse = (decoded - pictures).pow(2).mean().item<double>() / 4;
  const auto noisy =
      vae->decode(posterior.mean + .1 * posterior.mean.std() * torch::randn_like(posterior.mean)).clamp(-1, 1);
  const auto noisy_mse = (noisy - pictures).pow(2).mean().item<double>() / 4;
  save_grid(grid.string(), torch::stack({pictures.slice(0, 0, 24), decoded.slice(0, 0, 24)}, 1).flatten(0, 1), 12);
  return {{"psnr_db", -10 * std::log10(mse)},
          {"psnr_noisy_db", -10 * std::log10(noisy_mse)},
          {"latent_mean", posterior.mean.mean().item<double>()},
          {"posterior_std", posterior.std().mean().item<double>()},
          {"scaling_factor", 1 / posterior.mean.std().item<double>()}};
}
}  // namespace

namespace {
// Encoder and decoder, or the decoder alone: what differs between the stages is the loss and where they begin.
void train(const StageOptions& options, const char* stage, std::vector<AutoencoderKL>& replicas, bool sets_scale,
           const std::function<Losses(AutoencoderKL&, const Tensor& pictures)>& loss_on) {
  FlatParameters flat(*replicas[0]);
  auto gradients = flat.replicate(replicas);
  const auto settings = replicas[0]->config;
  const auto micro_batch = [&](int worker, int task, int64_t step) -> Measured {
    auto random = task_random(options.seed, step, task);
    const auto pictures = render_scenes(draw_scenes(options.micro_batch, random, options.breadth));
    const auto loss =
        loss_on(replicas[static_cast<std::size_t>(worker)], pictures.contiguous(at::MemoryFormat::ChannelsLast));
    loss.total.backward();
    return {{"mse", loss.squared}, {"kl", loss.kl}};
  };
  const auto publish = [&](const Tensor& weights, const nlohmann::json&) {
    AutoencoderKL average(settings);
    FlatParameters shown(*average);
    shown.values().copy_(weights);
    const auto measured = measure(average, RunFolder{options.run}.stage(stage) / "grid.png");
    std::printf("  %s\n", measured.dump().c_str());
    if (sets_scale) average->config.scaling_factor = measured.at("scaling_factor");
    save_component(options.out / "vae", "diffusion_pytorch_model.safetensors", shown, shown.values(),
                   average->config.to_json());
  };
  run_steps(options, flat.values(), gradients,
            {.stage = stage,
             .adam = {.beta2 = .99, .ema = .998},
             .hold = .5,
             .micro_batch = micro_batch,
             .publish = publish});
}
}  // namespace

void train_autoencoder(const StageOptions& options) {
  torch::manual_seed(static_cast<int64_t>(options.seed));
  std::vector<AutoencoderKL> replicas;
  for (int k = 0; k < options.workers; ++k) replicas.emplace_back(config());
  train(options, "autoencoder", replicas, true, loss_of);
}

// The encoder stays, so the latents that the denoiser knows do; its gradients are nought, and Adam without decay leaves
// what has none.
void train_decoder(const StageOptions& options) {
  torch::manual_seed(static_cast<int64_t>(options.seed));
  const auto folder = options.out / "vae";
  const auto settings =
      diffusion::AutoencoderKLConfig::from_json(nlohmann::json::parse(read_file(folder / "config.json", 1 << 20)));
  std::vector<AutoencoderKL> replicas;
  for (int k = 0; k < options.workers; ++k) replicas.emplace_back(settings);
  load_component(folder / "diffusion_pytorch_model.safetensors", *replicas[0]);  // which the others will share
  train(options, "decoder", replicas, false, [](AutoencoderKL& vae, const Tensor& pictures) -> Losses {
    Tensor latents;
    {
      torch::NoGradGuard frozen;
      const auto mean = vae->encode(pictures).mean;
      const auto roughness = kRoughest * torch::rand({mean.size(0), 1, 1, 1}) * mean.std();
      latents = mean + roughness * torch::randn_like(mean);
    }
    const auto difference = vae->decode(latents) - pictures;
    const auto squared = difference.pow(2).mean();
    return {squared + kAbsoluteWeight * difference.abs().mean(), squared.item<double>(), 0};
  });
}

}  // namespace conceptd::pretrain
