#include "core/picture/photo_facts.h"

#include <array>
#include <bit>
#include <cmath>

#include "core/picture/orientation.h"

namespace conceptd::picture {
namespace {

constexpr std::size_t kRows = 8, kColumns = 9;

// Rec. 601, in whole numbers.
int luma(const std::uint8_t* rgb) { return (299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2] + 500) / 1000; }

// Sums of luma by area, in one walk over the pixels.
struct Sums {
  double all = 0, squares = 0;
  std::array<double, kRows * kColumns> area{}, pixels{};
};

Sums sums_of(const Picture& picture) {
  Sums sums;
  const auto width = static_cast<std::size_t>(picture.width), height = static_cast<std::size_t>(picture.height);
  std::size_t at = 0;
  for (std::size_t y = 0; y < height; ++y)
    for (std::size_t x = 0; x < width; ++x, at += 3) {
      const double value = luma(&picture.rgb[at]);
      const std::size_t cell = y * kRows / height * kColumns + x * kColumns / width;
      sums.all += value, sums.squares += value * value;
      sums.area[cell] += value, ++sums.pixels[cell];
    }
  return sums;
}

}  // namespace

PhotoFacts facts_of(std::string_view bytes, const Limits& limits) {
  PhotoFacts facts{.info = inspect(bytes, limits)};
  facts.has_position = exif_has_position(bytes, facts.info.format);
  const Picture picture = decode(bytes, facts.info);
  const Sums sums = sums_of(picture);
  const double count = static_cast<double>(picture.width) * picture.height;
  facts.brightness = sums.all / count;
  facts.contrast = std::sqrt(std::max(sums.squares / count - facts.brightness * facts.brightness, 0.));
  const auto mean = [&](std::size_t cell) { return sums.pixels[cell] > 0 ? sums.area[cell] / sums.pixels[cell] : 0.; };
  for (std::size_t row = 0; row < kRows; ++row)
    for (std::size_t column = 0; column + 1 < kColumns; ++column) {
      const std::size_t cell = row * kColumns + column;
      facts.outline = facts.outline << 1 | (mean(cell) < mean(cell + 1) ? 1u : 0u);
    }
  return facts;
}

int difference(std::uint64_t outline, std::uint64_t other) noexcept { return std::popcount(outline ^ other); }

}  // namespace conceptd::picture
