#include "tests/diffusion/golden_models.h"

#include "core/file_io.h"
#include "diffusion/attention.h"
#include "diffusion/weights.h"

namespace conceptd::diffusion {

namespace {
template <class Model, class Config>
Model loaded(const std::string& component, const std::string& weights) {
  Model model(Config::from_json(golden_json("tiny-sd/" + component + "/config.json")));
  load_weights(*model, SafetensorsFile::open(test::golden("tiny-sd/" + component + "/" + weights)));
  return model;
}
}  // namespace

Json golden_json(const std::string& name) { return parse_json(read_file(test::golden(name), 1 << 24), name); }
TensorMap golden_tensors(const std::string& name) { return load_safetensors(test::golden(name)); }

ClipTextModel golden_text_encoder() {
  static const auto g_model = loaded<ClipTextModel, ClipTextConfig>("text_encoder", "model.safetensors");
  return g_model;
}
ClipVisionModel golden_image_encoder() {
  static const auto g_model = loaded<ClipVisionModel, ClipVisionConfig>("image_encoder", "model.safetensors");
  return g_model;
}
UNet2DConditionModel golden_unet() {
  static const auto g_model = loaded<UNet2DConditionModel, UNetConfig>("unet", "diffusion_pytorch_model.safetensors");
  return g_model;
}
AutoencoderKL golden_vae() {
  static const auto g_model = loaded<AutoencoderKL, AutoencoderKLConfig>("vae", "diffusion_pytorch_model.safetensors");
  return g_model;
}

Tensor Recorder::linear(AdaptedLinearImpl& base, const Tensor& x) {
  inputs[base.site.path] = x;
  return outputs[base.site.path] = base.plain(x);
}
void Recorder::route(const Site& site, Attend& attend) { attends[site.path] = attend; }
Tensor Recorder::attend(AttentionImpl& attention, const Tensor& x, const Tensor& context) {
  return outputs[attention.site.path] = Adaptation::attend(attention, x, context);
}

}  // namespace conceptd::diffusion
