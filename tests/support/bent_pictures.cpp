#include "tests/support/bent_pictures.h"

#include <png.h>
#include <turbojpeg.h>
#include <webp/encode.h>
#include <zlib.h>

#include <stdexcept>
#include <vector>

namespace conceptd::test {
namespace {

using namespace std::string_literals;

std::string compressed(const unsigned char* pixels, int width, int height, int format, int flags) {
  tjhandle handle = tjInitCompress();
  unsigned char* out = nullptr;
  unsigned long size = 0;
  const int result = tjCompress2(handle, pixels, width, 0, height, format, &out, &size, TJSAMP_444, 90, flags);
  std::string bytes(reinterpret_cast<char*>(out), size);
  tjFree(out);
  tjDestroy(handle);
  if (result != 0) throw std::runtime_error("turbojpeg could not write a test picture");
  return bytes;
}

std::string png_as(png_uint_32 format, int side, const void* pixels, const void* colours = nullptr, int entries = 0) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = image.height = static_cast<png_uint_32>(side);
  image.format = format;
  image.colormap_entries = static_cast<png_uint_32>(entries);
  png_alloc_size_t size = std::size_t{1} << 20;
  std::string bytes(size, '\0');
  if (!png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels, 0, colours))
    throw std::runtime_error("libpng could not write a test picture");
  bytes.resize(size);
  return bytes;
}

std::string big_endian(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

std::string little_endian(std::uint32_t value) {
  const std::string big = big_endian(value);
  return {big.rbegin(), big.rend()};
}

picture::Picture stripes(int side) {
  picture::Picture picture{.width = side, .height = side};
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) picture.rgb.insert(picture.rgb.end(), 3, x / 8 % 2 ? 200 : 40);
  return picture;
}

std::string riff(const std::string& chunks) {
  return "RIFF" + little_endian(static_cast<std::uint32_t>(chunks.size() + 4)) + "WEBP" + chunks;
}

}  // namespace

std::string jpeg_of(const picture::Picture& picture, bool progressive) {
  return compressed(picture.rgb.data(), picture.width, picture.height, TJPF_RGB, progressive ? TJFLAG_PROGRESSIVE : 0);
}

std::string webp_of(const picture::Picture& picture) {
  std::uint8_t* out = nullptr;
  const std::size_t size =
      WebPEncodeLosslessRGB(picture.rgb.data(), picture.width, picture.height, 3 * picture.width, &out);
  std::string bytes(reinterpret_cast<char*>(out), size);
  WebPFree(out);
  return bytes;
}

std::string large_progressive_jpeg(int width, int height) {
  const std::vector<unsigned char> grey(3 * static_cast<std::size_t>(width) * static_cast<std::size_t>(height), 128);
  return compressed(grey.data(), width, height, TJPF_RGB, TJFLAG_PROGRESSIVE);
}

std::string jpeg_with_scans(int count) {
  const std::string jpeg = jpeg_of(stripes(64), true);
  const std::size_t last = jpeg.rfind("\xff\xda"s), end = jpeg.rfind("\xff\xd9"s);
  std::string bytes = jpeg.substr(0, last);
  for (int i = 0; i < count; ++i) bytes.append(jpeg, last, end - last);
  return bytes + "\xff\xd9";
}

std::string cmyk_jpeg() {
  const std::vector<unsigned char> pixels(4 * 64 * 64, 90);
  return compressed(pixels.data(), 64, 64, TJPF_CMYK, 0);
}

std::string jpeg_with_frame(char marker, char precision) {
  std::string jpeg = jpeg_of(stripes(64));
  const std::size_t frame = jpeg.find("\xff\xc0"s);
  jpeg.at(frame + 1) = marker;
  jpeg.at(frame + 4) = precision;
  return jpeg;
}

std::string png_of_16_bits(int side) {
  std::vector<std::uint16_t> linear;
  for (int i = 0; i < side * side; ++i) linear.insert(linear.end(), 3, i % side < side / 2 ? 65535 : 14'000);
  return png_as(PNG_FORMAT_LINEAR_RGB, side, linear.data());
}

std::string png_of_grey_and_alpha(int side) {
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < side * side; ++i) pixels.push_back(0), pixels.push_back(i % side < side / 2 ? 255 : 0);
  return png_as(PNG_FORMAT_GA, side, pixels.data());
}

std::string png_with_a_palette(int side) {
  const std::uint8_t colours[] = {255, 0, 0, 255, 0, 0, 255, 0};
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < side * side; ++i) pixels.push_back(i % side < side / 2 ? 0 : 1);
  return png_as(PNG_FORMAT_RGBA_COLORMAP, side, pixels.data(), colours, 2);
}

std::string animated_webp() {
  const std::string size = little_endian(63).substr(0, 3);
  return riff("VP8X" + little_endian(10) + little_endian(0x02) + size + size + "ANIM" + little_endian(6) +
              std::string(6, '\0') + "ANMF" + little_endian(16) + std::string(16, '\0'));
}

std::string huge_lossless_webp() {
  return riff("VP8L" + little_endian(32) + "\x2f" + little_endian(16'382u | 16'382u << 14) + std::string(27, '\0'));
}

std::string huge_png(int width, int height) {
  std::string png = picture::encode_png(stripes(8));
  return png.replace(16, 8,
                     big_endian(static_cast<std::uint32_t>(width)) + big_endian(static_cast<std::uint32_t>(height)));
}

std::string with_chunks(const std::string& png, const std::string& type, const std::string& data, int count) {
  const std::string named = type + data;
  const uLong crc = crc32(0, reinterpret_cast<const Bytef*>(named.data()), static_cast<uInt>(named.size()));
  const std::string chunk =
      big_endian(static_cast<std::uint32_t>(data.size())) + named + big_endian(static_cast<std::uint32_t>(crc));
  std::string chunks;
  for (int i = 0; i < count; ++i) chunks += chunk;
  return std::string(png).insert(33, chunks);
}

std::string deflated_zeros(std::size_t bytes) {
  const std::string zeros(bytes, '\0');
  uLongf size = compressBound(bytes);
  std::string deflated(size, '\0');
  compress(reinterpret_cast<Bytef*>(deflated.data()), &size, reinterpret_cast<const Bytef*>(zeros.data()), bytes);
  return "name\0\0"s + deflated.substr(0, size);
}

std::string with_talkative_exif(const std::string& jpeg) {
  const std::string entries =
      "\x0f\x01\x02\0\x04\0\0\0acme"s           // the maker
      "\x12\x01\x03\0\x01\0\0\0\x01\0\0\0"s     // upright
      "\x25\x88\x04\0\x01\0\0\0\x80\0\0\0"s     // the directory of the position
      "\x7c\x92\x07\0\xff\xff\0\0\x90\0\0\0"s;  // the maker's notes, longer than what follows
  const std::string data = "Exif\0\0II*\0\x08\0\0\0\x04\0"s + entries + std::string(65'000, 'n');
  const std::size_t length = data.size() + 2;
  return jpeg.substr(0, 2) + "\xff\xe1" + static_cast<char>(length >> 8) + static_cast<char>(length & 0xff) + data +
         jpeg.substr(2);
}

}  // namespace conceptd::test
