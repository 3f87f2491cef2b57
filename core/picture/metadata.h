// A photo as it is kept: the same pixels, and nothing that tells of whoever took it. EXIF, XMP, IPTC, comments, texts,
// thumbnails, makers' notes and what hangs behind the end go; what says how the pixels are to be read stays (colour
// profiles too), and of EXIF the orientation. No pixel is coded again.
#pragma once
#include <string>
#include <string_view>

#include "core/picture/picture.h"

namespace conceptd::picture {

// bytes: what decode() takes. Error{invalid} where the parts of the file do not add up although a decoder is content.
std::string without_metadata(std::string_view bytes, Format format);

}  // namespace conceptd::picture
