// The small random models of the goldens, loaded once a process, frozen.
#pragma once
#include <map>
#include <string>

#include "core/json.h"
#include "diffusion/autoencoder_kl.h"
#include "diffusion/clip_text.h"
#include "diffusion/clip_vision.h"
#include "diffusion/safetensors.h"
#include "diffusion/unet_2d_condition.h"
#include "tests/support/goldens.h"

namespace conceptd::diffusion {

// Suggested by the goldens' README for an independent fp32 CPU implementation.
constexpr double kEncoderLimit = 2e-5, kNetworkLimit = 5e-5, kGradientLimit = 1e-4;

Json golden_json(const std::string& name);
TensorMap golden_tensors(const std::string& name);

ClipTextModel golden_text_encoder();
ClipVisionModel golden_image_encoder();
UNet2DConditionModel golden_unet();
AutoencoderKL golden_vae();

// Keeps what every site saw and said, by its path.
class Recorder : public Adaptation {
 public:
  Tensor linear(AdaptedLinearImpl& base, const Tensor& x) override;
  void route(const Site& site, Attend& attend) override;
  Tensor attend(AttentionImpl& attention, const Tensor& x, const Tensor& context) override;
  std::map<std::string, Tensor> inputs, outputs;
  std::map<std::string, Attend> attends;
};

}  // namespace conceptd::diffusion
