#include "learner/pretrain/checkpoint.h"

#include "core/error.h"
#include "core/file_io.h"
#include "diffusion/safetensors.h"

namespace conceptd::pretrain {
namespace fs = std::filesystem;

fs::path RunFolder::stage(const std::string& name) const {
  fs::create_directories(root / name);
  return root / name;
}

void write_json(const std::filesystem::path& path, const nlohmann::json& value) {
  std::filesystem::create_directories(path.parent_path());
  write_file_durably(path, value.dump(2) + "\n");
}

void save_resume(const fs::path& folder, const Adam& adam, const nlohmann::json& progress) {
  auto kept = progress;
  kept["updates"] = adam.updates;
  diffusion::save_safetensors(
      folder / "resume.safetensors",
      {{"values", adam.values}, {"first", adam.first}, {"second", adam.second}, {"average", adam.average}},
      {{"progress", kept.dump()}});
}

std::optional<nlohmann::json> load_resume(const fs::path& folder, Adam& adam) {
  const auto path = folder / "resume.safetensors";
  if (!fs::exists(path)) return std::nullopt;
  const auto file = diffusion::SafetensorsFile::open(path);
  for (auto [name, target] : {std::pair{"values", &adam.values},
                              {"first", &adam.first},
                              {"second", &adam.second},
                              {"average", &adam.average}}) {
    const auto stored = file.tensor(name);
    if (stored.sizes() != target->sizes()) return std::nullopt;
    target->copy_(stored);
  }
  const auto progress = nlohmann::json::parse(file.metadata().at("progress"));
  adam.updates = progress.at("updates");
  return progress;
}

void save_component(const fs::path& folder, const std::string& file, const FlatParameters& flat, const Tensor& values,
                    const nlohmann::json& config) {
  fs::create_directories(folder);
  diffusion::TensorMap weights;
  for (const auto& [name, tensor] : flat.named(values)) weights[name] = tensor.to(torch::kHalf).contiguous();
  diffusion::save_safetensors(folder / file, weights, {{"format", "pt"}});
  write_file_durably(folder / "config.json", config.dump(2) + "\n");
}

void copy_weights(diffusion::TensorMap weights, const std::string& from, torch::nn::Module& module) {
  torch::NoGradGuard frozen;
  for (auto& item : module.named_parameters()) {
    const auto found = weights.find(item.key());
    if (found == weights.end()) throw Error(Code::corrupt, from + " lacks '" + item.key() + "'");
    item.value().copy_(found->second);
    weights.erase(found);
  }
  if (!weights.empty()) throw Error(Code::corrupt, from + " has an unknown key '" + weights.begin()->first + "'");
}

void load_component(const fs::path& file, torch::nn::Module& module) {
  copy_weights(diffusion::load_safetensors(file), file.string(), module);
}

}  // namespace conceptd::pretrain
