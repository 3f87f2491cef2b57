// What there is to say of a photo once it is decoded: enough to refuse it, to warn of it and to find it twice, without
// keeping a pixel. The process that decodes for the daemon hands over this and nothing else.
#pragma once
#include <cstdint>
#include <string_view>

#include "core/picture/picture.h"

namespace conceptd::picture {

struct PhotoFacts {
  Info info{};
  bool has_position = false;  // EXIF says where on earth it was taken
  double brightness = 0;      // mean of its luma, 0 (black) to 255
  double contrast = 0;        // standard deviation of its luma, 0 (one colour) to 127.5
  // One bit for each of 8x8 areas: is it darker than the area to its right? Photos that show the same have nearly the
  // same bits, whatever their size, format and exposure; of a photo of one colour they mean nothing.
  std::uint64_t outline = 0;
};

// Reads the header, judges the limits, decodes the whole. Throws what inspect() and decode() throw.
PhotoFacts facts_of(std::string_view bytes, const Limits& limits = {});

// Bits in which two outlines differ, 0 to 64.
int difference(std::uint64_t outline, std::uint64_t other) noexcept;

}  // namespace conceptd::picture
