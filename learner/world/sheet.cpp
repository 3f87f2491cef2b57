// PNG writing, and letters of three by five dots for the labels.
#include "learner/world/sheet.h"

#include <png.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"

namespace conceptd::world {
namespace {

// Five octal digits a letter, top row first; 4 is the left dot.
constexpr const char* kLetters[26] = {"25755", "65656", "34443", "65556", "74647", "74644", "34553", "55755", "72227",
                                      "11152", "55655", "44447", "57755", "65555", "25552", "65644", "25563", "65655",
                                      "34216", "72222", "55557", "55552", "55775", "55255", "55222", "71247"};
constexpr const char* kDigits[10] = {"75557", "26227", "71747", "71717", "55711",
                                     "74717", "74757", "71111", "75757", "75717"};

const char* glyph(char c) {
  if (c >= 'a' && c <= 'z') return kLetters[c - 'a'];
  if (c >= '0' && c <= '9') return kDigits[c - '0'];
  return c == '-' ? "00700" : "00000";
}

}  // namespace

void write_png(const std::string& path, int width, int height, std::span<const std::uint8_t> rgb) {
  png_image image;
  std::memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = PNG_FORMAT_RGB;
  if (png_image_write_to_file(&image, path.c_str(), 0, rgb.data(), 0, nullptr) == 0) {
    throw Error(Code::unavailable, "writing " + path + ": " + image.message);
  }
}

void Sheet::row(const std::string& label, const std::vector<std::vector<std::uint8_t>>& pictures) {
  const std::size_t stride = static_cast<std::size_t>(width()) * 3, start = rgb_.size();
  rgb_.resize(start + stride * static_cast<std::size_t>(side_ + 2), 255);
  std::uint8_t* band = rgb_.data() + start;
  for (std::size_t i = 0; i < label.size(); ++i) {
    const char* dots = glyph(label[i]);
    for (int bit = 0; bit < 60; ++bit) {  // every dot is two pixels square
      const int x = bit % 6, y = bit / 6;
      if (((dots[y / 2] - '0') >> (2 - x / 2) & 1) == 0) continue;
      const std::size_t column = 2 + i * 8 + static_cast<std::size_t>(x);
      if (column < kLabelWidth)
        std::memset(band + static_cast<std::size_t>(y + side_ / 2 - 5) * stride + column * 3, 0, 3);
    }
  }
  for (std::size_t i = 0; i < std::min(pictures.size(), static_cast<std::size_t>(columns_)); ++i) {
    for (int y = 0; y < side_; ++y) {
      std::memcpy(
          band + static_cast<std::size_t>(y) * stride + (kLabelWidth + i * static_cast<std::size_t>(side_ + 2)) * 3,
          pictures[i].data() + static_cast<std::ptrdiff_t>(y) * side_ * 3, static_cast<std::size_t>(side_) * 3);
    }
  }
}

void Sheet::write(const std::string& path) const {
  write_png(path, width(), static_cast<int>(rgb_.size() / (static_cast<std::size_t>(width()) * 3)), rgb_);
}

}  // namespace conceptd::world
