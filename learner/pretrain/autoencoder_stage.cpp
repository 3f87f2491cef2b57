#include "diffusion/autoencoder_kl.h"
#include "learner/pretrain/checkpoint.h"
#include "learner/pretrain/progress.h"
#include "learner/pretrain/scenes.h"
#include "learner/pretrain/stages.h"

namespace conceptd::pretrain {
using diffusion::AutoencoderKL;

namespace {
constexpr double kKlWeight = 2e-3, kAbsoluteWeight = .3;

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

// Measures the average weights on scenes that training never drew, and sets the scaling factor: 1 / std of the latents.
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
  vae->config.scaling_factor = 1 / posterior.mean.std().item<double>();
  return {{"psnr_db", -10 * std::log10(mse)},
          {"psnr_noisy_db", -10 * std::log10(noisy_mse)},
          {"latent_mean", posterior.mean.mean().item<double>()},
          {"posterior_std", posterior.std().mean().item<double>()},
          {"scaling_factor", vae->config.scaling_factor}};
}
}  // namespace

void train_autoencoder(const StageOptions& options) {
  const auto folder = RunFolder{options.run}.stage("autoencoder");
  torch::manual_seed(static_cast<int64_t>(options.seed));
  std::vector<AutoencoderKL> replicas;
  for (int k = 0; k < options.workers; ++k) replicas.emplace_back(config());
  FlatParameters flat(*replicas[0]);
  auto gradients = flat.replicate(replicas);
  Adam adam(flat.values(), {.beta2 = .99, .ema = .998});
  const auto resumed = load_resume(folder, adam);
  int64_t step = resumed ? resumed->value("step", int64_t{0}) : 0;
  Workers workers(options.workers);
  Progress progress("autoencoder", step, options.steps);
  double saved_s = 0, grid_s = 0;
  const auto save = [&] {
    AutoencoderKL average(config());
    FlatParameters shown(*average);
    shown.values().copy_(adam.average);
    const auto measured = measure(average, folder / "grid.png");
    std::printf("  %s\n", measured.dump().c_str());
    save_resume(folder, adam, {{"step", step}});
    save_component(options.out / "vae", "diffusion_pytorch_model.safetensors", shown, shown.values(),
                   average->config.to_json());
  };
  while (step < options.steps &&
         (!options.stop_after_s || progress.seconds() < static_cast<double>(options.stop_after_s))) {
    std::vector<Losses> losses(options.micro_batches);
    workers.run(static_cast<int>(options.micro_batches), [&](int worker, int task) {
      auto random = task_random(options.seed, step, task);
      const auto pictures = render_scenes(draw_scenes(options.micro_batch, random, options.breadth));
      auto loss = loss_of(replicas[worker], pictures.contiguous(at::MemoryFormat::ChannelsLast));
      (loss.total / static_cast<double>(options.micro_batches)).backward();
      losses[task] = {{}, loss.squared, loss.kl};
    });
    const double rate = learning_rate(step, options.steps, options.rate, 100, .5);
    progress.measure("grad", adam.step(workers, gradients, rate, step));
    for (const auto& loss : losses) progress.measure("mse", loss.squared), progress.measure("kl", loss.kl);
    progress.advance(++step, options.micro_batch * options.micro_batches);
    if (progress.seconds() - saved_s > options.checkpoint_s) {
      save();
      saved_s = progress.seconds();
    }
  }
  save();
  (void)grid_s;
}

}  // namespace conceptd::pretrain
