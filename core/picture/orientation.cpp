#include "core/picture/orientation.h"

namespace conceptd::picture {
namespace {

using namespace std::string_view_literals;

std::string_view jpeg_exif(std::string_view bytes) {
  for (std::size_t at = 2; at + 4 <= bytes.size() && bytes[at] == '\xff';) {
    const auto marker = static_cast<unsigned char>(bytes[at + 1]);
    if (marker == 0xff) {  // padding
      ++at;
      continue;
    }
    if (marker == 0xda || marker == 0xd9) break;  // the scan, the end
    const std::size_t length = read_u32(bytes, at) & 0xffff;
    if (length < 2 || at + 2 + length > bytes.size()) break;
    const std::string_view data = bytes.substr(at + 4, length - 2);
    if (marker == 0xe1 && data.starts_with("Exif\0\0"sv)) return data.substr(6);
    at += 2 + length;
  }
  return {};
}

std::string_view png_exif(std::string_view bytes) {
  std::string_view found;
  walk_png_chunks(bytes, [&](std::string_view type, std::string_view data, std::uint32_t) {
    if (type == "eXIf") found = data;
    return found.empty();
  });
  return found;
}

std::string_view webp_exif(std::string_view bytes) {
  std::string_view found;
  walk_webp_chunks(bytes, [&](std::string_view type, std::string_view data) {
    if (type == "EXIF") found = data.starts_with("Exif\0\0"sv) ? data.substr(6) : data;
    return type != "EXIF";
  });
  return found;
}

std::string_view exif_of(std::string_view bytes, Format format) {
  switch (format) {
    case Format::png:
      return png_exif(bytes);
    case Format::jpeg:
      return jpeg_exif(bytes);
    case Format::webp:
      return webp_exif(bytes);
  }
  return {};
}

// The TIFF structure inside: byte order, then the first directory's entries. The short number that a tag holds.
std::optional<std::size_t> number_of(std::string_view tiff, std::size_t tag) {
  if (tiff.size() < 14) return std::nullopt;
  const bool little = tiff.starts_with("II");
  if (!little && !tiff.starts_with("MM")) return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t size) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value = value << 8 | static_cast<unsigned char>(tiff[at + (little ? size - 1 - i : i)]);
    return value;
  };
  const std::size_t directory = number(4, 4);
  if (directory > tiff.size() - 2) return std::nullopt;
  const std::size_t entries = number(directory, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t at = directory + 2 + 12 * i;
    if (at + 12 > tiff.size()) break;
    if (number(at, 2) == tag) return number(at + 8, 2);
  }
  return std::nullopt;
}

constexpr std::size_t kOrientation = 0x0112, kPosition = 0x8825;

}  // namespace

int exif_orientation(std::string_view bytes, Format format) noexcept {
  const std::size_t value = number_of(exif_of(bytes, format), kOrientation).value_or(1);
  return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
}

bool exif_has_position(std::string_view bytes, Format format) noexcept {
  return number_of(exif_of(bytes, format), kPosition).has_value();
}

Picture upright(Picture stored, int orientation) {
  if (orientation <= 1 || orientation > 8) return stored;
  Picture shown{.width = stored.width, .height = stored.height, .rgb = {}};
  if (swaps_sides(orientation)) std::swap(shown.width, shown.height);
  shown.rgb.resize(stored.rgb.size());
  const int right = stored.width - 1, bottom = stored.height - 1;
  std::size_t to = 0;
  for (int y = 0; y < shown.height; ++y) {
    for (int x = 0; x < shown.width; ++x) {
      int column = x, row = y;  // of the stored picture
      switch (orientation) {
        case 2:
          column = right - x;
          break;
        case 3:
          column = right - x, row = bottom - y;
          break;
        case 4:
          row = bottom - y;
          break;
        case 5:
          column = y, row = x;
          break;
        case 6:
          column = y, row = bottom - x;
          break;
        case 7:
          column = right - y, row = bottom - x;
          break;
        case 8:
          column = right - y, row = x;
          break;
        default:
          break;
      }
      const std::size_t from = 3 * (static_cast<std::size_t>(row) * static_cast<std::size_t>(stored.width) +
                                    static_cast<std::size_t>(column));
      for (std::size_t c = 0; c < 3; ++c) shown.rgb[to++] = stored.rgb[from + c];
    }
  }
  return shown;
}

}  // namespace conceptd::picture
