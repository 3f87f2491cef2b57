#include "diffusion/image_resize.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/error.h"

namespace conceptd::diffusion {
namespace {

constexpr int kPrecisionBits = 32 - 8 - 2;  // Pillow's fixed point: 8 bits of result, 2 of headroom

double sinc(double x) { return x == 0 ? 1 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x); }

double weight(ResizeFilter filter, double x) {
  x = std::abs(x);
  switch (filter) {
    case ResizeFilter::Lanczos:
      return x < 3 ? sinc(x) * sinc(x / 3) : 0;
    case ResizeFilter::Bilinear:
      return x < 1 ? 1 - x : 0;
    case ResizeFilter::Bicubic:
      break;
  }
  constexpr double kA = -0.5;
  if (x < 1) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * kA : 0;
}

double support(ResizeFilter filter) {
  return filter == ResizeFilter::Lanczos ? 3 : filter == ResizeFilter::Bilinear ? 1 : 2;
}

// What one pixel of the result is made of.
struct Taps {
  int64_t first;
  std::vector<int32_t> weights;
};

std::vector<Taps> taps(int64_t in, int64_t out, ResizeFilter filter) {
  const double scale = static_cast<double>(in) / static_cast<double>(out), stretch = std::max(scale, 1.0);
  const double reach = support(filter) * stretch;
  std::vector<Taps> all;
  for (int64_t k = 0; k < out; ++k) {
    const double centre = (static_cast<double>(k) + 0.5) * scale;
    const auto first = std::max<int64_t>(static_cast<int64_t>(centre - reach + 0.5), 0);
    const auto end = std::min<int64_t>(static_cast<int64_t>(centre + reach + 0.5), in);
    std::vector<double> weights;
    double sum = 0;
    for (int64_t x = first; x < end; ++x) {
      weights.push_back(weight(filter, (static_cast<double>(x) - centre + 0.5) * (1 / stretch)));
      sum += weights.back();
    }
    auto& taps = all.emplace_back(Taps{first, {}});
    for (const double w : weights) {
      const double fixed = (sum != 0 ? w / sum : w) * (1 << kPrecisionBits);
      taps.weights.push_back(static_cast<int32_t>(fixed < 0 ? fixed - 0.5 : fixed + 0.5));
    }
  }
  return all;
}

// Resizes the middle of (outer, in, inner).
Tensor resize_axis(const Tensor& picture, int64_t out, ResizeFilter filter) {
  const auto outer = picture.size(0), in = picture.size(1), inner = picture.size(2);
  if (in == out) return picture;
  const auto all = taps(in, out, filter);
  auto result = torch::empty({outer, out, inner}, torch::kByte);
  const auto* source = picture.data_ptr<uint8_t>();
  auto* target = result.data_ptr<uint8_t>();
  for (int64_t o = 0; o < outer; ++o, source += in * inner) {
    for (const auto& pixel : all) {
      for (int64_t c = 0; c < inner; ++c) {
        int64_t sum = int64_t{1} << (kPrecisionBits - 1);
        const auto* from = source + pixel.first * inner + c;
        for (const auto w : pixel.weights) {
          sum += static_cast<int64_t>(*from) * w;
          from += inner;
        }
        *target++ = static_cast<uint8_t>(std::clamp<int64_t>(sum >> kPrecisionBits, 0, 255));
      }
    }
  }
  return result;
}

}  // namespace

Tensor resize_picture(const Tensor& picture, int64_t new_height, int64_t new_width, ResizeFilter filter) {
  constexpr int64_t kSideMax = 1 << 15;
  if (picture.dim() != 3 || picture.scalar_type() != torch::kByte || picture.numel() == 0) {
    throw Error(Code::invalid, "a picture must be (height, width, channels) uint8");
  }
  if (new_height < 1 || new_width < 1 || new_height > kSideMax || new_width > kSideMax) {
    throw Error(Code::invalid, "a picture must have 1 to " + std::to_string(kSideMax) + " pixels a side");
  }
  const auto height = picture.size(0), channels = picture.size(2);
  const auto wide = resize_axis(picture.contiguous(), new_width, filter);  // rows first, as Pillow
  const auto lines = wide.view({1, height, new_width * channels});
  return resize_axis(lines, new_height, filter).view({new_height, new_width, channels}).clone();
}

}  // namespace conceptd::diffusion
