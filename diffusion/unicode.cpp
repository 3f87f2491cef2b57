#include "diffusion/unicode.h"

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/utf8.h"
#include "diffusion/unicode_tables.h"

namespace conceptd::diffusion::unicode {
namespace {

// Hangul syllables, Unicode §3.12.
constexpr char32_t kSBase = 0xAC00, kLBase = 0x1100, kVBase = 0x1161, kTBase = 0x11A7;
constexpr char32_t kLCount = 19, kVCount = 21, kTCount = 28, kSCount = kLCount * kVCount * kTCount;
constexpr char32_t kCapitalSigma = 0x3A3, kSmallSigma = 0x3C3, kFinalSigma = 0x3C2, kCapitalIWithDot = 0x130;

// Characters to small numbers; 0 where no range holds the character.
class RangeTable {
 public:
  explicit RangeTable(std::span<const std::int32_t> rows) {
    char32_t first = 0;
    for (std::size_t k = 0; k < rows.size(); k += 3) {
      first += static_cast<char32_t>(rows[k]);
      ranges_.push_back({first, first + static_cast<char32_t>(rows[k + 1]), rows[k + 2]});
    }
  }
  int at(char32_t c) const {
    auto after = std::upper_bound(ranges_.begin(), ranges_.end(), c, [](char32_t v, auto& r) { return v < r.first; });
    return after != ranges_.begin() && c < (--after)->end ? after->value : 0;
  }

 private:
  struct Range {
    char32_t first, end;
    int value;
  };
  std::vector<Range> ranges_;
};

struct Compositions {
  std::unordered_map<char32_t, std::pair<char32_t, char32_t>> apart;
  std::unordered_map<std::uint64_t, char32_t> together;
  static std::uint64_t key(char32_t a, char32_t b) { return std::uint64_t{a} << 32 | b; }
  Compositions() {
    add(kPairs, true);
    add(kSplits, false);
  }
  void add(std::span<const std::int32_t> rows, bool composes) {
    char32_t whole = 0;
    for (std::size_t k = 0; k < rows.size(); k += 3) {
      whole += static_cast<char32_t>(rows[k]);
      const auto first = static_cast<char32_t>(rows[k + 1]), second = static_cast<char32_t>(rows[k + 2]);
      apart.emplace(whole, std::pair{first, second});
      if (composes) together.emplace(key(first, second), whole);
    }
  }
};

const Compositions& compositions() {
  static const Compositions g_tables;
  return g_tables;
}

int combining_class(char32_t c) {
  static const RangeTable g_table(kCombining);
  return g_table.at(c);
}

int sigma_context(char32_t c) {
  static const RangeTable g_table(kSigmaContexts);
  return g_table.at(c);
}

std::unordered_map<char32_t, char32_t> lower_map() {
  std::unordered_map<char32_t, char32_t> map;
  char32_t first = 0;
  for (std::size_t k = 0; k < kLower.size(); k += 4) {
    first += static_cast<char32_t>(kLower[k]);
    const auto last = first + static_cast<char32_t>(kLower[k + 1]);
    for (char32_t c = first; c <= last; c += static_cast<char32_t>(kLower[k + 2])) {
      map.emplace(c, c + static_cast<char32_t>(kLower[k + 3]));
    }
  }
  return map;
}

void decompose(char32_t c, std::u32string& out) {
  if (c - kSBase < kSCount) {
    const auto s = c - kSBase;
    out += kLBase + s / (kVCount * kTCount);
    out += kVBase + s % (kVCount * kTCount) / kTCount;
    if (s % kTCount) out += kTBase + s % kTCount;
    return;
  }
  const auto found = compositions().apart.find(c);
  if (found == compositions().apart.end()) {
    out += c;
    return;
  }
  decompose(found->second.first, out);
  if (found->second.second) decompose(found->second.second, out);
}

char32_t compose(char32_t a, char32_t b) {  // 0: they stay apart
  if (a - kLBase < kLCount && b - kVBase < kVCount) return kSBase + ((a - kLBase) * kVCount + b - kVBase) * kTCount;
  if (a - kSBase < kSCount && (a - kSBase) % kTCount == 0 && b > kTBase && b < kTBase + kTCount) return a + b - kTBase;
  const auto found = compositions().together.find(Compositions::key(a, b));
  return found == compositions().together.end() ? 0 : found->second;
}

bool is_final_sigma(std::u32string_view text, std::size_t at) {
  auto k = at;
  while (k > 0 && sigma_context(text[k - 1]) == 2) --k;
  if (k == 0 || sigma_context(text[k - 1]) != 1) return false;
  for (k = at + 1; k < text.size() && sigma_context(text[k]) == 2;) ++k;
  return k == text.size() || sigma_context(text[k]) != 1;
}

}  // namespace

CharClass char_class(char32_t c) {
  static const RangeTable g_table(kClasses);
  return static_cast<CharClass>(g_table.at(c));
}

std::u32string decode(std::string_view utf8) {
  std::u32string text;
  text.reserve(utf8.size());
  for (std::size_t at = 0; at < utf8.size();) {
    const auto next = first_utf8(utf8.substr(at));
    if (next.bytes == 0) throw Error(Code::invalid, "the text is not UTF-8 at byte " + std::to_string(at));
    text += next.code;
    at += next.bytes;
  }
  return text;
}

std::string encode(std::u32string_view text) {
  std::string utf8;
  for (const auto c : text) {
    const int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    constexpr unsigned kLead[] = {0, 0xC0, 0xE0, 0xF0};
    utf8 += static_cast<char>(kLead[more] | c >> (6 * more));
    for (int k = more - 1; k >= 0; --k) utf8 += static_cast<char>(0x80 | (c >> (6 * k) & 0x3F));
  }
  return utf8;
}

std::u32string nfc(std::u32string_view text) {
  std::u32string apart;
  for (const auto c : text) decompose(c, apart);
  for (std::size_t from = 0; from < apart.size();) {  // canonical order
    auto to = from + 1;
    while (to < apart.size() && combining_class(apart[to]) != 0) ++to;
    const auto begin = apart.begin() + static_cast<std::ptrdiff_t>(combining_class(apart[from]) ? from : from + 1);
    std::stable_sort(begin, apart.begin() + static_cast<std::ptrdiff_t>(to),
                     [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    from = to;
  }
  std::u32string out;
  auto starter = std::u32string::npos;
  int last_class = 0;  // of what stands between the starter and here; 0: nothing
  for (const auto c : apart) {
    const int ccc = combining_class(c);
    const bool adjacent = starter + 1 == out.size();
    const bool blocked = starter == std::u32string::npos || (!adjacent && last_class >= ccc);
    const auto both = blocked ? 0 : compose(out[starter], c);
    if (both) {
      out[starter] = both;
      continue;
    }
    if (ccc == 0) starter = out.size();
    last_class = ccc;
    out += c;
  }
  return out;
}

std::u32string lower(std::u32string_view text) {
  static const auto g_map = lower_map();
  std::u32string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto c = text[at];
    const auto found = g_map.find(c);
    if (c == kCapitalSigma) {
      out += is_final_sigma(text, at) ? kFinalSigma : kSmallSigma;
    } else if (c == kCapitalIWithDot) {
      out += U"i\u0307";
    } else {
      out += found == g_map.end() ? c : found->second;
    }
  }
  return out;
}

}  // namespace conceptd::diffusion::unicode
