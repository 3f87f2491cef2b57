#include "registry/concept_name.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "core/error.h"

namespace conceptd::registry {
namespace {

constexpr std::size_t kLengthMax = 63;
constexpr std::size_t kAliasMax = 32;

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool may_follow(char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; }

// Printable, short, quoted: whatever a user typed may stand in a terminal and a log.
std::string quote(std::string_view text) {
  std::string shown = "'";
  for (const char c : text.substr(0, 64)) shown += c >= ' ' && c <= '~' ? c : '?';
  return shown + (text.size() > 64 ? "...'" : "'");
}

// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
int edit_distance(std::string_view a, std::string_view b) {
  std::vector<int> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = last;
    last = row;
  }
  return last.back();
}

}  // namespace

bool ConceptName::is_valid(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kLengthMax && is_alphanumeric(text.front()) &&
         std::all_of(text.begin(), text.end(), may_follow);
}

ConceptName ConceptName::parse(std::string_view text) {
  if (is_valid(text)) return ConceptName(text);
  std::string why;
  if (text.empty())
    why = "it is empty";
  else if (text.size() > kLengthMax)
    why = "it is longer than 63 characters";
  else if (!is_alphanumeric(text.front()))
    why = "it must begin with a lower-case letter or a digit";
  else {
    const auto bad = std::find_if_not(text.begin(), text.end(), may_follow);
    why = "character " + std::to_string(bad - text.begin() + 1) + " is not one of a-z 0-9 . _ -";
  }
  throw Error(Code::invalid, quote(text) + " cannot be the name of a concept: " + why, "name");
}

bool is_alias(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kAliasMax && text.front() >= 'a' && text.front() <= 'z' &&
         std::all_of(text.begin(), text.end(), may_follow);
}

void check_alias(std::string_view text) {
  if (!is_alias(text))
    throw Error(Code::invalid,
                quote(text) +
                    " cannot be an alias: it begins with a lower-case letter, goes on with a-z 0-9 . _ - and "
                    "has at most 32 characters",
                "alias");
  if (text == "live" || text == "previous")
    throw Error(Code::invalid, quote(text) + " is what the registry itself calls a version; choose another alias",
                "alias");
}

ConceptReference ConceptReference::parse(std::string_view text) {
  const std::size_t at = text.find('@');
  ConceptReference reference{ConceptName::parse(text.substr(0, at)), std::nullopt};
  if (at == std::string_view::npos) return reference;
  const std::string_view digits = text.substr(at + 1);
  if (is_alias(digits)) {
    reference.alias = digits;
    return reference;
  }
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || number < 1)
    throw Error(Code::invalid, quote(text) + ": after the @ comes a version number or an alias, as in kettle-7@3",
                "name");
  reference.version = number;
  return reference;
}

std::vector<std::string> near_misses(std::string_view name, std::span<const std::string> known) {
  constexpr std::size_t kShown = 3;
  if (name.empty() || name.size() > 4 * kLengthMax) return {};
  std::string typed(name);
  for (char& c : typed)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  std::vector<std::pair<int, std::string>> found;
  for (const std::string& candidate : known) {
    const int allowed = std::clamp(static_cast<int>(std::min(typed.size(), candidate.size())) / 3, 1, 3);
    const int distance = edit_distance(typed, candidate);
    const bool prefix =
        typed.size() >= 2 && candidate.size() >= 2 && (candidate.starts_with(typed) || typed.starts_with(candidate));
    if (distance <= allowed && distance < static_cast<int>(typed.size()))
      found.emplace_back(distance, candidate);
    else if (prefix)
      found.emplace_back(allowed + distance, candidate);
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> names;
  for (auto& [distance, candidate] : found)
    if (names.size() < kShown) names.push_back(std::move(candidate));
  return names;
}

std::string unknown_concept_message(std::string_view name, std::span<const std::string> known) {
  std::string message = "no concept is called " + quote(name);
  const std::vector<std::string> near = near_misses(name, known);
  for (std::size_t i = 0; i < near.size(); ++i)
    message += (i == 0 ? "; did you mean " : i + 1 == near.size() ? " or " : ", ") + near[i];
  return near.empty() ? message : message + "?";
}

}  // namespace conceptd::registry
