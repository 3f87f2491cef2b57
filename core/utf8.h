// UTF-8, read strictly: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once
#include <cstddef>
#include <string_view>

namespace conceptd {

// The character that a text begins with, and its bytes; 0 bytes if what stands there is not UTF-8, or nothing does.
struct Utf8Character {
  char32_t code = 0;
  std::size_t bytes = 0;
};
Utf8Character first_utf8(std::string_view text);

}  // namespace conceptd
