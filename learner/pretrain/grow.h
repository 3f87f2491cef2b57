// A deeper denoiser that begins as the one before it: what was trained keeps its place, what is new passes its input
// through until training says otherwise.
//
// Chen, Goodfellow, Shlens 2016, "Net2Net" (Net2DeeperNet); the zero-initialised last layer as in Zhang et al. 2019,
// "Fixup". In a decoder level the new blocks stand after the first, which alone changes the width, and read the skips
// of the encoder's new blocks.
#pragma once
#include <filesystem>

#include "diffusion/unet_2d_condition.h"

namespace conceptd::pretrain {

// Fills `grown` from the weights (a safetensors file) of a denoiser that differs in layers_per_block only, with fewer
// or as many a level. Both then answer alike, but for rounding. Error{corrupt} names a key that has no place or is not
// there.
void load_grown(const std::filesystem::path& file, diffusion::UNet2DConditionModel& grown);

}  // namespace conceptd::pretrain
