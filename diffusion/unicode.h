// The little of Unicode that a prompt needs. Text is UTF-8 outside and code points inside.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace conceptd::diffusion::unicode {

// General categories L, N, Z and C (C holds what is not assigned, too).
enum class CharClass : std::uint8_t { Other, Letter, Number, Space, Control };
CharClass char_class(char32_t c);

std::u32string decode(std::string_view utf8);  // Error{invalid} if it is not UTF-8
std::string encode(std::u32string_view text);

std::u32string nfc(std::u32string_view text);    // canonical composition
std::u32string lower(std::u32string_view text);  // as Python's str.lower(), final sigma included

}  // namespace conceptd::diffusion::unicode
