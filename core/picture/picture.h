// Pictures from strangers. A format is known by its first bytes alone, never by a name or a header field of HTTP; its
// size is read and judged before a pixel is decoded; what comes out is 8-bit RGB, upright (EXIF's orientation is
// applied), on white where it was transparent, and without any metadata. PNG, JPEG and WebP are read, PNG is written.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace conceptd::picture {

enum class Format { png, jpeg, webp };
std::string_view media_type(Format format) noexcept;  // "image/png"
std::string_view to_string(Format format) noexcept;   // "PNG"
std::optional<Format> sniff(std::string_view bytes) noexcept;

struct Limits {
  int side_min = 1;
  int side_max = 8192;
  std::int64_t pixels_max = 40'000'000;
};

struct Info {
  Format format = Format::png;
  int width = 0;  // upright
  int height = 0;
};

struct Picture {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb{};  // row by row, from the top
  bool operator==(const Picture&) const = default;
};

// All three throw Error{invalid} that says what the bytes are instead of a picture, or which limit they break.
Info inspect(std::string_view bytes, const Limits& limits = {});    // reads the header only
Picture decode(std::string_view bytes, const Limits& limits = {});  // the whole picture; a truncated one is refused
Picture decode(std::string_view bytes, const Info& info);           // after inspect()

// Key and UTF-8 text, as PNG's tEXt (ASCII) and iTXt (the rest) chunks hold them. The same picture and texts always
// give the same bytes.
using PngTexts = std::vector<std::pair<std::string, std::string>>;
std::string encode_png(const Picture& picture, const PngTexts& texts = {});
// Uncompressed tEXt and iTXt chunks; Error{invalid} if the bytes are not a PNG, Error{corrupt} if a chunk is cut or its
// CRC is wrong.
PngTexts read_png_texts(std::string_view bytes);

}  // namespace conceptd::picture
