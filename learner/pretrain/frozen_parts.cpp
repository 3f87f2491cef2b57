#include "learner/pretrain/frozen_parts.h"

#include "core/file_io.h"
#include "core/json.h"
#include "learner/pretrain/checkpoint.h"
#include "learner/pretrain/scenes.h"
#include "learner/pretrain/text_model.h"

namespace conceptd::pretrain {
namespace fs = std::filesystem;

FrozenParts::FrozenParts(const fs::path& base)
    : codec(read_file(base / "tokenizer" / "vocab.json", 1 << 24)),
      text(text_config(codec.size())),
      vae(diffusion::AutoencoderKLConfig::from_json(
          parse_json(read_file(base / "vae" / "config.json", 1 << 20), "vae/config.json"))) {
  load_component(base / "text_encoder" / "model.safetensors", *text);
  load_component(base / "vae" / "diffusion_pytorch_model.safetensors", *vae);
}

diffusion::ClipTextOutput FrozenParts::read(const std::vector<std::string>& captions) {
  const torch::NoGradGuard frozen;
  diffusion::Adaptation base;
  return text(codec.encode(captions), base);
}

void FrozenParts::save_grid_of(const Tensor& latents, const fs::path& path) {
  const torch::NoGradGuard frozen;
  save_grid(path.string(), vae->decode(latents / vae->config.scaling_factor), 8);
}

nlohmann::json begun_at(const fs::path& published) {
  const auto note = published / "training.json";
  return fs::exists(note) ? nlohmann::json::parse(read_file(note, 1 << 16)) : nlohmann::json::object();
}

void publish_denoiser(const fs::path& published, FlatParameters& shown, const Tensor& weights,
                      const nlohmann::json& config, const nlohmann::json& progress) {
  shown.values().copy_(weights);
  save_component(published, "diffusion_pytorch_model.safetensors", shown, shown.values(), config);
  write_file_durably(published / "training.json", progress.dump() + "\n");
}

Tensor one_in_each_slice(int64_t b) { return (torch::rand({b}) + torch::randperm(b)) / static_cast<double>(b); }

}  // namespace conceptd::pretrain
