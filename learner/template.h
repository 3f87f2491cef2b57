// A prompt with a gap: "a photo of a {}".
#pragma once
#include <string>
#include <string_view>

namespace conceptd::learner {

// "{}" is there, and once.
inline bool has_one_gap(std::string_view text) {
  return text.find("{}") != text.npos && text.find("{}") == text.rfind("{}");
}

// The same with `words` in its gap, which is there once.
inline std::string filled(std::string text, std::string_view words) { return text.replace(text.find("{}"), 2, words); }

}  // namespace conceptd::learner
