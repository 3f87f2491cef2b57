// Lengths of time as people type them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace conceptd::cli {

struct Duration {
  double number = 0;      // not negative
  char unit = 0;          // s, m, h, d; 0: none was written, and it is seconds
  bool is_whole = false;  // no fraction was written
  double seconds() const;
};

// "90", "10s", "45m", "1.5h", "30d"; empty for anything else.
std::optional<Duration> parse_duration(std::string_view text);
// More than 0; else Error{invalid} of `field`.
double seconds_in(const std::string& text, const std::string& field);

}  // namespace conceptd::cli
