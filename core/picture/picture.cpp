#include "core/picture/picture.h"

#include <png.h>
#include <turbojpeg.h>
#include <webp/decode.h>

#include <array>
#include <memory>

#include "core/error.h"
#include "core/picture/orientation.h"

namespace conceptd::picture {
namespace {

using namespace std::string_view_literals;

Error refusal(const std::string& why) { return Error(Code::invalid, why); }

// What people hand over under a photo's name, so that the refusal can say what it is.
std::string_view what_it_is(std::string_view bytes) {
  struct Known {
    std::string_view magic;
    std::size_t at;
    std::string_view name;
  };
  constexpr std::array<Known, 13> kKnown{{{"GIF8"sv, 0, "a GIF"},
                                          {"BM"sv, 0, "a BMP"},
                                          {"II*\0"sv, 0, "a TIFF"},
                                          {"MM\0*"sv, 0, "a TIFF"},
                                          {"ftypavif"sv, 4, "an AVIF"},
                                          {"ftyphei"sv, 4, "a HEIF"},
                                          {"ftypmif1"sv, 4, "a HEIF"},
                                          {"ftyp"sv, 4, "a video"},
                                          {"8BPS"sv, 0, "a PSD"},
                                          {"%PDF"sv, 0, "a PDF"},
                                          {"PK\x03\x04"sv, 0, "a ZIP, or something that is packed in one"},
                                          {"\x80\x04"sv, 0, "a pickle"},
                                          {"<"sv, 0, "a text (SVG, HTML or XML)"}}};
  if (bytes.empty()) return "an empty file";
  const std::size_t text = bytes.find_first_not_of(" \t\r\n");
  if (text != std::string_view::npos && bytes[text] == '<') bytes.remove_prefix(text);
  for (const Known& known : kKnown)
    if (bytes.substr(std::min(known.at, bytes.size())).starts_with(known.magic)) return known.name;
  return "something unknown";
}

const unsigned char* data_of(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

using JpegHandle = std::unique_ptr<void, int (*)(tjhandle)>;
JpegHandle jpeg_handle() { return {tjInitDecompress(), &tjDestroy}; }

struct PngImage {
  png_image image{};
  explicit PngImage(std::string_view bytes) {
    image.version = PNG_IMAGE_VERSION;
    if (!png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()))
      throw refusal(std::string("the PNG is damaged: ") + image.message);
  }
  ~PngImage() { png_image_free(&image); }
  PngImage(const PngImage&) = delete;
  PngImage& operator=(const PngImage&) = delete;
};

Info stored_size(std::string_view bytes, Format format) {
  Info info{.format = format};
  switch (format) {
    case Format::png: {
      // By hand: the header is the first chunk, at a fixed place.
      if (bytes.size() < 33 || bytes.substr(12, 4) != "IHDR") throw refusal("the PNG has no header");
      const std::uint32_t width = read_u32(bytes, 16), height = read_u32(bytes, 20);
      if (width > 0x7fffffff || height > 0x7fffffff) throw refusal("the PNG's size makes no sense");
      info.width = static_cast<int>(width), info.height = static_cast<int>(height);
      break;
    }
    case Format::jpeg: {
      const JpegHandle jpeg = jpeg_handle();
      int subsampling = 0, colours = 0;
      if (tjDecompressHeader3(jpeg.get(), data_of(bytes), bytes.size(), &info.width, &info.height, &subsampling,
                              &colours) != 0)
        throw refusal(std::string("the JPEG is damaged: ") + tjGetErrorStr2(jpeg.get()));
      if (colours == TJCS_CMYK || colours == TJCS_YCCK) throw refusal("the JPEG is in CMYK, for print; save it as RGB");
      break;
    }
    case Format::webp: {
      WebPBitstreamFeatures features;
      if (WebPGetFeatures(data_of(bytes), bytes.size(), &features) != VP8_STATUS_OK)
        throw refusal("the WebP is damaged");
      if (features.has_animation) throw refusal("the WebP is an animation, not a photo");
      info.width = features.width, info.height = features.height;
      break;
    }
  }
  return info;
}

std::vector<std::uint8_t> stored_pixels(std::string_view bytes, const Info& stored) {
  std::vector<std::uint8_t> rgb(3 * static_cast<std::size_t>(stored.width) * static_cast<std::size_t>(stored.height));
  switch (stored.format) {
    case Format::png: {
      // libpng makes room for as much as a chunk claims before it reads it.
      if (!walk_png_chunks(bytes, [](auto&&...) { return true; }))
        throw refusal("the PNG is damaged: it ends inside a chunk");
      PngImage png(bytes);
      png.image.format = PNG_FORMAT_RGB;
      if (png.image.width != static_cast<png_uint_32>(stored.width) ||
          png.image.height != static_cast<png_uint_32>(stored.height))
        throw refusal("the PNG has two headers");
      const png_color white{255, 255, 255};
      if (!png_image_finish_read(&png.image, &white, rgb.data(), 0, nullptr))
        throw refusal(std::string("the PNG is damaged: ") + png.image.message);
      break;
    }
    case Format::jpeg: {
      const JpegHandle jpeg = jpeg_handle();
      const int result = tjDecompress2(jpeg.get(), data_of(bytes), bytes.size(), rgb.data(), stored.width, 0,
                                       stored.height, TJPF_RGB, TJFLAG_LIMITSCANS | TJFLAG_ACCURATEDCT);
      if (result == 0) break;
      const std::string message = tjGetErrorStr2(jpeg.get());
      const bool truncated = message.find("Premature end") != std::string::npos;
      if (truncated || tjGetErrorCode(jpeg.get()) == TJERR_FATAL) throw refusal("the JPEG is damaged: " + message);
      break;
    }
    case Format::webp: {
      std::vector<std::uint8_t> rgba(rgb.size() / 3 * 4);
      if (!WebPDecodeRGBAInto(data_of(bytes), bytes.size(), rgba.data(), rgba.size(), 4 * stored.width))
        throw refusal("the WebP is damaged");
      for (std::size_t i = 0, from = 0; i < rgb.size(); from += 4)
        for (std::size_t c = 0; c < 3; ++c)
          rgb[i++] =
              static_cast<std::uint8_t>((rgba[from + c] * rgba[from + 3] + 255 * (255 - rgba[from + 3]) + 127) / 255);
      break;
    }
  }
  return rgb;
}

}  // namespace

std::string_view media_type(Format format) noexcept {
  switch (format) {
    case Format::png:
      return "image/png";
    case Format::jpeg:
      return "image/jpeg";
    case Format::webp:
      return "image/webp";
  }
  return {};
}

std::string_view to_string(Format format) noexcept {
  switch (format) {
    case Format::png:
      return "PNG";
    case Format::jpeg:
      return "JPEG";
    case Format::webp:
      return "WebP";
  }
  return {};
}

std::optional<Format> sniff(std::string_view bytes) noexcept {
  if (bytes.starts_with("\x89PNG\r\n\x1a\n"sv)) return Format::png;
  if (bytes.starts_with("\xff\xd8\xff"sv)) return Format::jpeg;
  if (bytes.starts_with("RIFF"sv) && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP"sv) return Format::webp;
  return std::nullopt;
}

Info inspect(std::string_view bytes, const Limits& limits) {
  const std::optional<Format> format = sniff(bytes);
  if (!format)
    throw refusal("it is " + std::string(what_it_is(bytes)) +
                  "; photos are PNG, JPEG or WebP, whatever they are called");
  Info info = stored_size(bytes, *format);
  const std::string size = std::to_string(info.width) + "x" + std::to_string(info.height);
  if (std::min(info.width, info.height) < limits.side_min)
    throw refusal("it is " + size + " pixels; the shorter side must have at least " + std::to_string(limits.side_min));
  if (std::max(info.width, info.height) > limits.side_max ||
      static_cast<std::int64_t>(info.width) * info.height > limits.pixels_max)
    throw refusal("it is " + size + " pixels; at most " + std::to_string(limits.side_max) + " a side and " +
                  std::to_string(limits.pixels_max / 1'000'000) + " million in all are read");
  if (swaps_sides(exif_orientation(bytes, *format))) std::swap(info.width, info.height);
  return info;
}

Picture decode(std::string_view bytes, const Limits& limits) { return decode(bytes, inspect(bytes, limits)); }

Picture decode(std::string_view bytes, const Info& info) {
  const int orientation = exif_orientation(bytes, info.format);
  Info stored = info;
  if (swaps_sides(orientation)) std::swap(stored.width, stored.height);
  return upright({.width = stored.width, .height = stored.height, .rgb = stored_pixels(bytes, stored)}, orientation);
}

}  // namespace conceptd::picture
