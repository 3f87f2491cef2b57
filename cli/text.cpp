#include "cli/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <ostream>

#include "core/utf8.h"

namespace conceptd::cli {
namespace {

template <typename... Values>
std::string format(const char* form, Values... values) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), form, values...);
  return text.data();
}

// Characters, not bytes, so that a column with UTF-8 in it stays straight.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

int edit_distance(const std::string& a, const std::string& b) {
  std::vector<int> last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i, last = row) {
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j)
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
  }
  return last.back();
}

// Nothing to see, or the order of what is seen turned round: what makes one text look like another.
bool deceives(char32_t code) {
  return code == 0x200b || code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2060 && code <= 0x2069) || code == 0xfeff;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const Utf8Character next = first_utf8(text);
    const bool control = next.code < 0x20 || (next.code >= 0x7f && next.code < 0xa0);
    shown += next.bytes == 0 || control || deceives(next.code) ? "?" : text.substr(0, next.bytes);
    text.remove_prefix(std::max<std::size_t>(next.bytes, 1));
  }
  return shown;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t bytes = first_utf8(text).bytes;
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

std::string human_bytes(std::int64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  constexpr std::array<const char*, 4> kUnits{"KB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (value /= 1024; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return format("%.1f %s", value, kUnits[unit]);
}

std::string human_seconds(double seconds) {
  if (seconds < 0) return "unknown";
  if (seconds < 10) return format("%.1f s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 60) return format("%lld s", static_cast<long long>(whole));
  const long long minutes = whole / 60, hours = minutes / 60;
  if (hours == 0) return format("%lld min %02lld s", minutes, static_cast<long long>(whole % 60));
  if (hours < 48) return format("%lld h %02lld min", hours, minutes % 60);
  return format("%lld d %lld h", hours / 24, hours % 24);
}

std::string human_time(const std::string& iso) {
  if (iso.size() < 16) return iso.empty() ? "-" : iso;
  return iso.substr(0, 10) + " " + iso.substr(11, 5);
}

std::string human_number(double value) { return format("%.3g", value); }

std::string short_digest(const std::string& digest) {
  const std::size_t colon = digest.find(':');
  return digest.substr(colon == std::string::npos ? 0 : colon + 1, 12);
}

std::string count_of(std::int64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

void print_table(std::ostream& out, const std::vector<std::vector<std::string>>& cells, const std::string& indent) {
  std::vector<std::vector<std::string>> rows = cells;
  for (auto& row : rows)
    for (std::string& cell : row) cell = printable(cell);
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i >= widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], width_of(row[i]));
    }
  for (const auto& row : rows) {
    std::string line = indent;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line += std::string(widths[i] - width_of(row[i]) + 2, ' ');
    }
    out << line << "\n";
  }
}

std::vector<std::string> nearest(const std::string& typed, const std::vector<std::string>& known) {
  std::vector<std::pair<int, std::string>> found;
  for (const std::string& word : known) {
    const int distance = edit_distance(typed, word);
    if (distance <= 2 && distance < static_cast<int>(typed.size())) found.emplace_back(distance, word);
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> words;
  for (const auto& [distance, word] : found)
    if (words.size() < 3) words.push_back(word);
  return words;
}

}  // namespace conceptd::cli
