#include "tests/diffusion/golden_flux.h"

#include "diffusion/weights.h"

namespace conceptd::diffusion {

FluxTransformer2DModel golden_flux(const std::string& name) {
  static std::map<std::string, FluxTransformer2DModel> g_models;
  const auto known = g_models.find(name);
  if (known != g_models.end()) return known->second;
  FluxTransformer2DModel model(FluxConfig::from_json(golden_json(name + "/transformer/config.json")));
  load_weights(*model, SafetensorsFile::open(test::golden(name + "/transformer/diffusion_pytorch_model.safetensors")));
  return g_models.emplace(name, model).first->second;
}

FluxInput golden_flux_input(const TensorMap& golden, const std::string& prefix) {
  const auto guidance = golden.find(prefix + "guidance");
  return {.image = golden.at(prefix + "hidden_states"),
          .text = golden.at(prefix + "encoder_hidden_states"),
          .pooled = golden.at(prefix + "pooled_projections"),
          .timestep = golden.at(prefix + "timestep"),
          .guidance = guidance == golden.end() ? Tensor() : guidance->second,
          .image_ids = golden.at(prefix + "img_ids"),
          .text_ids = golden.at(prefix + "txt_ids")};
}

std::vector<std::string> golden_flux_cases(const TensorMap& golden) {
  std::vector<std::string> prefixes;
  for (const auto& [name, value] : golden) {
    const std::string first = "case", last = ".out";
    if (name.starts_with(first) && name.ends_with(last) && name.find('.') + last.size() == name.size())
      prefixes.push_back(name.substr(0, name.size() - last.size() + 1));
  }
  return prefixes;
}

}  // namespace conceptd::diffusion
