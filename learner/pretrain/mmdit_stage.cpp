// The embedded MM-DiT: another denoiser for the same world, on the frozen text encoder and autoencoder of the base that
// is there. Flow matching, caption dropout for guidance, EMA; and the folder around it.
#include "core/error.h"
#include "core/file_io.h"
#include "diffusion/model_bundle.h"
#include "diffusion/schedulers/scheduler.h"
#include "learner/pretrain/flow.h"
#include "learner/pretrain/frozen_parts.h"
#include "learner/pretrain/latent_pool.h"
#include "learner/pretrain/step_loop.h"

namespace conceptd::pretrain {
using diffusion::FluxPrompt;
using diffusion::FluxTransformer2DModel;
namespace fs = std::filesystem;

namespace {
constexpr double kCaptionDropout = .1, kGuidance = 3;
constexpr int64_t kFresh = 4, kSteps = 25;

diffusion::FluxConfig config(const diffusion::AutoencoderKLConfig& vae, int64_t text_width) {
  diffusion::FluxConfig c;
  c.in_channels = 4 * vae.latent_channels;
  c.joint_attention_dim = c.pooled_projection_dim = text_width;
  c.num_attention_heads = 6, c.attention_head_dim = 32, c.axes_dims_rope = {8, 12, 12};
  c.num_layers = 3, c.num_single_layers = 6;
  return c;
}

std::vector<std::string> grid_captions() {
  return {"a red mug on the beach",          "a blue car on the grass",
          "a green kettle on a table",       "a yellow duck in the sea",
          "a purple house at sunset",        "a pink flower in the desert",
          "a teal boat in the sea",          "a fish in the sea",
          "a striped red and yellow shirt",  "a dotted blue hat in the snow",
          "a checked green backpack",        "a blue mug with a star at night",
          "a red ball and a blue ball",      "a red car and a green tree",
          "a yellow duck and a purple boot", "a pink house and a blue boat at night"};
}

FluxPrompt read(FrozenParts& frozen, const std::vector<std::string>& captions) {
  const auto out = frozen.read(captions);
  return {out.last_hidden_state, out.pooled};
}

void draw_grid(FrozenParts& frozen, FluxTransformer2DModel& model, const fs::path& path) {
  const auto latents =
      sample_flow(model, read(frozen, grid_captions()), read(frozen, {""}), world::kSide / 4, kSteps, kGuidance, 7);
  frozen.save_grid_of(latents, path);
}

void check_folders(const StageOptions& options) {
  if (fs::weakly_canonical(options.out) == fs::weakly_canonical(options.base))
    throw Error(Code::invalid, "--out must be a folder of its own, and not the base that is read", "out");
}

}  // namespace

void train_mmdit(const StageOptions& options) {
  check_folders(options);
  FrozenParts frozen(options.base);
  const auto settings = config(frozen.vae->config, frozen.text->config.hidden_size);
  torch::manual_seed(static_cast<int64_t>(options.seed));
  std::vector<FluxTransformer2DModel> replicas;
  for (int k = 0; k < options.workers; ++k) replicas.emplace_back(settings);
  const auto folder = RunFolder{options.run}.stage("mmdit"), published = options.out / "transformer";
  begin_weights(replicas[0]);
  if (fs::exists(published / "training.json"))  // what the run's own folder has goes before it
    load_component(published / "diffusion_pytorch_model.safetensors", *replicas[0]);
  FlatParameters flat(*replicas[0]);
  auto gradients = flat.replicate(replicas);
  std::vector<LatentPool> pools;
  for (int k = 0; k < options.workers; ++k) pools.emplace_back(frozen.vae, 16384);
  FluxTransformer2DModel average(settings);
  FlatParameters shown(*average);
  const auto micro_batch = [&](int worker, int task, int64_t step) -> Measured {
    auto random = task_random(options.seed, step, task);
    const auto replica = static_cast<std::size_t>(worker);
    const auto batch = pools[replica].draw(options.micro_batch, kFresh, random, options.breadth);
    std::vector<std::string> captions;
    for (const auto& scene : batch.scenes) {
      const bool dropped = static_cast<double>(random() % 1000) < 1000 * kCaptionDropout;
      captions.push_back(dropped ? "" : world::caption(scene, random));
    }
    HalfLinears half;
    diffusion::Adaptation full;
    const auto loss =
        flow_loss(replicas[replica], batch.latents.contiguous(), read(frozen, captions), options.half ? half : full);
    loss.mean.backward();
    return {{"loss", loss.mean.item<double>()}, {"noisy", loss.noisy}, {"clean", loss.clean}};
  };
  const auto publish = [&](const Tensor& weights, const nlohmann::json& progress) {
    publish_denoiser(published, shown, weights, settings.to_json(), progress);
  };
  const auto look = [&](const Tensor& weights, int64_t images) {
    shown.values().copy_(weights);
    draw_grid(frozen, average, folder / ("grid-" + std::to_string(images / 1000) + "k.png"));
  };
  run_steps(options, flat.values(), gradients,
            {.stage = "mmdit",
             .adam = {.ema = .998},
             .warmup = 200,
             .begun = begun_at(published),
             .at_start = [&](int64_t step) { torch::manual_seed(static_cast<int64_t>(options.seed) + step); },
             .micro_batch = micro_batch,
             .publish = publish,
             .look = look});
}

void assemble_mmdit(const StageOptions& options) {
  check_folders(options);
  for (const char* part : {"vae", "text_encoder", "tokenizer"}) {
    fs::create_directories(options.out / part);
    fs::copy(options.base / part, options.out / part,
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  }
  write_json(options.out / "model_index.json", {{"_class_name", "FluxPipeline"},
                                                {"scheduler", {"diffusers", diffusion::kFlowMatchClass}},
                                                {"text_encoder", {"transformers", "CLIPTextModel"}},
                                                {"text_encoder_2", {nullptr, nullptr}},
                                                {"tokenizer", {"transformers", "CLIPTokenizer"}},
                                                {"tokenizer_2", {nullptr, nullptr}},
                                                {"transformer", {"diffusers", "FluxTransformer2DModel"}},
                                                {"vae", {"diffusers", "AutoencoderKL"}}});
  write_json(options.out / "scheduler" / "scheduler_config.json", flow_scheduler_config());
  write_json(options.out / "generation.json", {{"guidance_scale", kGuidance}, {"num_inference_steps", kSteps}});
  diffusion::ModelBundle::open(options.out);  // it is whole, or says what is wrong
}

}  // namespace conceptd::pretrain
