#include <png.h>
#include <zlib.h>

#include <algorithm>

#include "core/error.h"
#include "core/picture/orientation.h"
#include "core/picture/picture.h"

namespace conceptd::picture {
namespace {

constexpr std::size_t kHeaderEnd = 8 + 12 + 13;  // signature and IHDR

std::uint32_t crc_of(std::string_view type, std::string_view data) {
  uLong crc = crc32(0, reinterpret_cast<const Bytef*>(type.data()), static_cast<uInt>(type.size()));
  crc = crc32(crc, reinterpret_cast<const Bytef*>(data.data()), static_cast<uInt>(data.size()));
  return static_cast<std::uint32_t>(crc);
}

void append_u32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xff));
}

std::string text_chunk(const std::string& key, const std::string& text) {
  if (key.empty() || key.size() > 79 || key.find('\0') != std::string::npos || text.find('\0') != std::string::npos)
    throw Error(Code::invalid, "a PNG cannot hold the text '" + key + "'");
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  const std::string_view type = ascii ? "tEXt" : "iTXt";
  std::string data = key + '\0';
  if (!ascii) data += std::string(4, '\0');  // not compressed, no language, no translated key
  data += text;
  std::string chunk;
  append_u32(chunk, static_cast<std::uint32_t>(data.size()));
  chunk.append(type).append(data);
  append_u32(chunk, crc_of(type, data));
  return chunk;
}

}  // namespace

std::string encode_png(const Picture& picture, const PngTexts& texts) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  std::string bytes;
  const auto write = [&](void* to) {
    if (!png_image_write_to_memory(&image, to, &size, 0, picture.rgb.data(), 0, nullptr))
      throw Error(Code::internal, std::string("writing a PNG: ") + image.message);
  };
  write(nullptr);
  bytes.resize(size);
  write(bytes.data());
  bytes.resize(size);
  std::string chunks;
  for (const auto& [key, text] : texts) chunks += text_chunk(key, text);
  return bytes.insert(kHeaderEnd, chunks);
}

PngTexts read_png_texts(std::string_view bytes) {
  if (sniff(bytes) != Format::png) throw Error(Code::invalid, "it is not a PNG");
  PngTexts texts;
  bool sound = true;
  const bool whole = walk_png_chunks(bytes, [&](std::string_view type, std::string_view data, std::uint32_t crc) {
    if (type != "tEXt" && type != "iTXt") return true;
    if (crc != crc_of(type, data)) return sound = false;
    const std::size_t end = data.find('\0');
    if (end == std::string_view::npos) return true;
    std::string_view text = data.substr(end + 1);
    if (type == "iTXt") {
      if (text.size() < 2 || text[0] != '\0') return true;  // compressed: not ours
      const std::size_t language = text.find('\0', 2);
      const std::size_t translated = language == std::string_view::npos ? language : text.find('\0', language + 1);
      if (translated == std::string_view::npos) return true;
      text = text.substr(translated + 1);
    }
    texts.emplace_back(data.substr(0, end), text);
    return true;
  });
  if (!whole || !sound) throw Error(Code::corrupt, "the PNG is cut off or damaged");
  return texts;
}

}  // namespace conceptd::picture
