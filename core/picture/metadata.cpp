#include "core/picture/metadata.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/error.h"
#include "core/picture/orientation.h"

namespace conceptd::picture {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

[[noreturn]] void refuse() { throw Error(Code::invalid, "the parts of the file do not add up"); }

std::string big_endian(std::uint32_t value, int bytes) {
  std::string text;
  for (int at = bytes - 1; at >= 0; --at) text += static_cast<char>(value >> 8 * at & 0xff);
  return text;
}

std::string little_endian(std::uint32_t value) {
  std::string text = big_endian(value, 4);
  std::reverse(text.begin(), text.end());
  return text;
}

// TIFF with one directory of one entry: how to turn the picture.
std::string orientation_alone(int orientation) {
  return "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"s + static_cast<char>(orientation) + "\0\0\0\0\0\0\0"s;
}

// --- JPEG: ITU T.81, B.1.1. Segments up to the first scan, scans with segments between them, the end.

bool is_kept_segment(unsigned char marker, std::string_view data) {
  if (marker == 0xe2) return data.starts_with("ICC_PROFILE\0"sv);
  if (marker == 0xee) return data.starts_with("Adobe");  // how its colours are coded
  if (marker == 0xe0) return data.starts_with("JFIF\0"sv);
  return !(marker >= 0xe0 && marker <= 0xef) && marker != 0xfe;
}

// From inside a scan to its next marker: FF 00 is a byte of data, FF D0 to FF D7 are restarts.
std::size_t end_of_scan(std::string_view bytes, std::size_t at) {
  for (; at + 1 < bytes.size(); ++at) {
    const auto next = static_cast<unsigned char>(bytes[at + 1]);
    if (bytes[at] == '\xff' && next != 0 && next != 0xff && !(next >= 0xd0 && next <= 0xd7)) return at;
  }
  refuse();
}

std::string jpeg_without_metadata(std::string_view bytes, int orientation) {
  std::string kept(bytes.substr(0, 2));
  if (orientation != 1) {
    const std::string exif = "Exif\0\0"s + orientation_alone(orientation);
    kept += "\xff\xe1" + big_endian(static_cast<std::uint32_t>(exif.size() + 2), 2) + exif;
  }
  for (std::size_t at = 2;;) {
    if (at + 2 > bytes.size() || bytes[at] != '\xff') refuse();
    const auto marker = static_cast<unsigned char>(bytes[at + 1]);
    if (marker == 0xff) {  // padding
      ++at;
      continue;
    }
    if (marker == 0xd9) return kept + "\xff\xd9";
    if (at + 4 > bytes.size()) refuse();
    const std::size_t length = read_u32(bytes, at) & 0xffff, end = at + 2 + length;
    if (length < 2 || end > bytes.size()) refuse();
    const std::size_t next = marker == 0xda ? end_of_scan(bytes, end) : end;
    if (is_kept_segment(marker, bytes.substr(at + 4, length - 2))) kept += bytes.substr(at, next - at);
    at = next;
  }
}

// --- PNG: chunks. An animation's further pictures are metadata here.

std::string png_chunk(std::string_view type, std::string_view data) {
  const std::string body = std::string(type) + std::string(data);
  const auto crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian(static_cast<std::uint32_t>(data.size()), 4) + body + big_endian(static_cast<std::uint32_t>(crc), 4);
}

std::string png_without_metadata(std::string_view bytes, int orientation) {
  constexpr std::array kKept{"IHDR"sv, "PLTE"sv, "IDAT"sv, "IEND"sv, "tRNS"sv, "gAMA"sv,
                             "cHRM"sv, "sRGB"sv, "iCCP"sv, "sBIT"sv, "bKGD"sv, "pHYs"sv};
  std::string kept(bytes.substr(0, 8));
  const bool whole = walk_png_chunks(bytes, [&](std::string_view type, std::string_view data, std::uint32_t) {
    if (std::find(kKept.begin(), kKept.end(), type) != kKept.end())  // as it stands, its CRC too
      kept += bytes.substr(static_cast<std::size_t>(data.data() - bytes.data()) - 8, data.size() + 12);
    if (type == "IHDR" && orientation != 1) kept += png_chunk("eXIf", orientation_alone(orientation));
    return true;
  });
  if (!whole) refuse();
  return kept;
}

// --- WebP: chunks of RIFF, their lengths little-endian and padded to even ones.

std::string riff_chunk(std::string_view type, std::string_view data) {
  return std::string(type) + little_endian(static_cast<std::uint32_t>(data.size())) + std::string(data) +
         (data.size() % 2 ? std::string(1, '\0') : std::string());
}

std::string webp_without_metadata(std::string_view bytes, int orientation) {
  constexpr std::array kKept{"VP8X"sv, "VP8 "sv, "VP8L"sv, "ALPH"sv, "ICCP"sv};
  constexpr char kHasExif = 0x08, kHasXmp = 0x04;
  std::string chunks;
  const bool whole = walk_webp_chunks(bytes, [&](std::string_view type, std::string_view stored) {
    std::string data(stored);
    if (type == "VP8X" && !data.empty()) {
      data[0] = static_cast<char>(data[0] & ~(kHasExif | kHasXmp));
      if (orientation != 1) data[0] = static_cast<char>(data[0] | kHasExif);
    }
    if (std::find(kKept.begin(), kKept.end(), type) != kKept.end()) chunks += riff_chunk(type, data);
    return true;
  });
  if (!whole) refuse();
  if (orientation != 1) chunks += riff_chunk("EXIF", orientation_alone(orientation));
  return "RIFF" + little_endian(static_cast<std::uint32_t>(chunks.size() + 4)) + "WEBP" + chunks;
}

}  // namespace

std::string without_metadata(std::string_view bytes, Format format) {
  const int orientation = exif_orientation(bytes, format);
  if (format == Format::jpeg) return jpeg_without_metadata(bytes, orientation);
  if (format == Format::png) return png_without_metadata(bytes, orientation);
  return webp_without_metadata(bytes, orientation);
}

}  // namespace conceptd::picture
