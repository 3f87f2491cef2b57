// What a target of HTTP means: "%20" is a space. Decoded once; what is no escape stays as it is.
#pragma once
#include <string>
#include <string_view>

namespace conceptd::daemon {

std::string percent_decoded(std::string_view text);

}  // namespace conceptd::daemon
