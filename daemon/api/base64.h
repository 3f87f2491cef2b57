// Base64 of RFC 4648, section 4: with padding, without line breaks or other characters.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace conceptd::api {

std::string base64_encode(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);  // empty: it is not exactly that

}  // namespace conceptd::api
