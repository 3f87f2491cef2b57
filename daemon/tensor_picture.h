// Pictures to tensors and back. Legend: k pictures, s the base's side.
#pragma once
#include <span>
#include <string>

#include "core/picture/picture.h"
#include "diffusion/torch.h"

namespace conceptd::daemon {

// (height, width, 3) uint8
picture::Picture to_picture(const torch::Tensor& pixels);
// (3, height, width) in -1..1
picture::Picture to_picture_from_signed(const torch::Tensor& values);
// The largest square in the middle, resized with antialiasing: (k, 3, s, s) in -1..1.
torch::Tensor to_photos(std::span<const picture::Picture> pictures, int side);
// The same of files; undefined where there is none.
torch::Tensor to_photos(std::span<const std::string> files, int side);

}  // namespace conceptd::daemon
