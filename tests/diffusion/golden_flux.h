// The small random MM-DiTs of the goldens ("tiny-flux-dev" reads its guidance, "tiny-flux-schnell" does not), loaded
// once a process, frozen.
#pragma once
#include "diffusion/flux_transformer.h"
#include "tests/diffusion/golden_models.h"

namespace conceptd::diffusion {

FluxTransformer2DModel golden_flux(const std::string& name);
FluxInput golden_flux_input(const TensorMap& golden, const std::string& prefix);  // "case0."
std::vector<std::string> golden_flux_cases(const TensorMap& golden);              // their prefixes

}  // namespace conceptd::diffusion
