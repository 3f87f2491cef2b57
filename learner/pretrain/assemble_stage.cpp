// Makes a base folder of the trained parts: index, scheduler, tokenizer settings, and the covariance of text encodings
// over captions of the world.
#include "core/file_io.h"
#include "diffusion/token_covariance.h"
#include "learner/pretrain/checkpoint.h"
#include "learner/pretrain/stages.h"

namespace conceptd::pretrain {
using nlohmann::json;

namespace {
constexpr int kCaptions = 20000;
}  // namespace

void assemble(const StageOptions& options) {
  write_json(options.out / "model_index.json", {{"_class_name", "StableDiffusionPipeline"},
                                                {"requires_safety_checker", false},
                                                {"scheduler", {"diffusers", "DDIMScheduler"}},
                                                {"text_encoder", {"transformers", "CLIPTextModel"}},
                                                {"tokenizer", {"transformers", "CLIPTokenizer"}},
                                                {"unet", {"diffusers", "UNet2DConditionModel"}},
                                                {"vae", {"diffusers", "AutoencoderKL"}}});
  write_json(options.out / "scheduler" / "scheduler_config.json", {{"_class_name", "DDIMScheduler"},
                                                                   {"beta_start", .00085},
                                                                   {"beta_end", .012},
                                                                   {"beta_schedule", "scaled_linear"},
                                                                   {"clip_sample", false},
                                                                   {"num_train_timesteps", 1000},
                                                                   {"prediction_type", "v_prediction"},
                                                                   {"set_alpha_to_one", false},
                                                                   {"steps_offset", 1},
                                                                   {"timestep_spacing", "leading"}});
  write_json(options.out / "tokenizer" / "tokenizer_config.json", {{"bos_token", "<|startoftext|>"},
                                                                   {"eos_token", "<|endoftext|>"},
                                                                   {"pad_token", "<|endoftext|>"},
                                                                   {"unk_token", "<|endoftext|>"},
                                                                   {"model_max_length", 32},
                                                                   {"tokenizer_class", "CLIPTokenizer"}});
  write_json(options.out / "generation.json", {{"guidance_scale", 2.5}, {"num_inference_steps", 25}});
  const auto places = world::background_phrases();
  write_json(options.out / "learning.json",  // as captions begin, and as they end
             {{"templates", {"a {}", "a photo of a {}"}},
              {"places", std::vector<std::string>(places.begin(), places.end())},
              {"min_snr", kMinSnr}});
  write_json(options.out / "gate.json",  // bounds: docs/gate.md
             {{"judge", "../evaluator"},
              {"prompts", {"a {} on the beach", "a {} in the snow", "a {} on a table", "a {} at night"}},
              {"seeds", 2},
              {"identity_gain_min", .05},
              {"fidelity_drop_max", .1},
              {"identity_loss_max", .05},
              {"fidelity_loss_max", .04}});
  auto random = task_random(options.seed + 0xc0, 0, 0);
  std::vector<std::string> captions;
  for (int k = 0; k < kCaptions; ++k)
    captions.push_back(world::caption(world::sample_scene(random, options.breadth), random));
  auto bundle = diffusion::ModelBundle::open(options.out);
  diffusion::TokenCovariance::measure(bundle, captions).save(options.out);
}

}  // namespace conceptd::pretrain
