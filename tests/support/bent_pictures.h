// Pictures as strangers send them: right in form and wrong in measure. Each is made here, by the codecs themselves or
// byte by byte; none is copied from anywhere.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "core/picture/picture.h"

namespace conceptd::test {

std::string jpeg_of(const picture::Picture& picture, bool progressive = false);
std::string webp_of(const picture::Picture& picture);       // lossless
std::string large_progressive_jpeg(int width, int height);  // 4:4:4, of few bytes
std::string jpeg_with_scans(int count);                     // progressive, 64x64
std::string cmyk_jpeg();                                    // 64x64, for print
std::string jpeg_with_frame(char marker, char precision);   // 64x64; the start of frame is bent
std::string png_of_16_bits(int side);                       // half white, half mid-grey
std::string png_of_grey_and_alpha(int side);                // half opaque black, half transparent
std::string png_with_a_palette(int side);                   // half red, half transparent
std::string animated_webp();                                // 64x64, its header alone
std::string huge_lossless_webp();                           // 16383x16383, its header alone
std::string huge_png(int width, int height);                // its header alone

// So many chunks of this type after the header of a PNG.
std::string with_chunks(const std::string& png, const std::string& type, const std::string& data, int count = 1);
// A zTXt chunk's or an iCCP chunk's data: a name, then so many zeros, deflated.
std::string deflated_zeros(std::size_t bytes);
// The EXIF of a photo with a GPS position, 64 KB of a maker's notes and a thumbnail that ends too early.
std::string with_talkative_exif(const std::string& jpeg);

}  // namespace conceptd::test
