// Antialiased resizing of 8-bit pictures, bit for bit as Pillow's Image.resize: what CLIP's preprocessing is defined
// by.
#pragma once
#include "diffusion/torch.h"

namespace conceptd::diffusion {

enum class ResizeFilter { Lanczos = 1, Bilinear = 2, Bicubic = 3 };  // Pillow's numbers

// picture: (height, width, channels) uint8 -> (new_height, new_width, channels) uint8
Tensor resize_picture(const Tensor& picture, int64_t new_height, int64_t new_width,
                      ResizeFilter filter = ResizeFilter::Bicubic);

}  // namespace conceptd::diffusion
