// EXIF's orientation: the one piece of a photo's metadata that is used; and whether it holds a position, which is only
// said. Private to the folder.
#pragma once
#include <string_view>

#include "core/picture/picture.h"

namespace conceptd::picture {

// 1..8, by EXIF 2.3, table 4.6.4 A, tag 0x0112. 1 (upright) where there is none or it makes no sense.
int exif_orientation(std::string_view bytes, Format format) noexcept;
// Tag 0x8825, the directory of a GPS position.
bool exif_has_position(std::string_view bytes, Format format) noexcept;
inline bool swaps_sides(int orientation) noexcept { return orientation >= 5; }
Picture upright(Picture stored, int orientation);

// Walks the chunks of a PNG: see(type, data) until it returns false. False: the file ends inside a chunk.
template <typename See>
bool walk_png_chunks(std::string_view bytes, See&& see);

// Big-endian numbers; the caller has checked that they are there.
inline std::uint32_t read_u32(std::string_view bytes, std::size_t at) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

template <typename See>
bool walk_png_chunks(std::string_view bytes, See&& see) {
  for (std::size_t at = 8; at + 12 <= bytes.size();) {
    const std::size_t length = read_u32(bytes, at);
    if (length > bytes.size() - at - 12) return false;
    const std::string_view type = bytes.substr(at + 4, 4);
    if (!see(type, bytes.substr(at + 8, length), read_u32(bytes, at + 8 + length))) return true;
    if (type == "IEND") return true;
    at += 12 + length;
  }
  return false;
}

// The same of the chunks of a WebP: see(type, data).
template <typename See>
bool walk_webp_chunks(std::string_view bytes, See&& see) {
  for (std::size_t at = 12; at + 8 <= bytes.size();) {
    std::size_t length = 0;  // little-endian
    for (std::size_t i = 4; i-- > 0;) length = length << 8 | static_cast<unsigned char>(bytes[at + 4 + i]);
    if (length > bytes.size() - at - 8) return false;
    if (!see(bytes.substr(at, 4), bytes.substr(at + 8, length))) return true;
    at += 8 + length + (length & 1);
  }
  return true;
}

}  // namespace conceptd::picture
