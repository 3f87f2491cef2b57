// A prompt with a gap: "a photo of a {}".
#pragma once
#include <string>
#include <string_view>

namespace conceptd::learner {

// The same with `words` in its gap, which is there once.
inline std::string filled(std::string text, std::string_view words) { return text.replace(text.find("{}"), 2, words); }

}  // namespace conceptd::learner
