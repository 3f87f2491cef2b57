// Names as people type them. Parsing is the only way to get a ConceptName, so whoever holds one holds a valid one and
// no name can ever be a path, an option or a piece of markup.
#pragma once
#include <compare>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace conceptd::registry {

class ConceptName {
 public:
  // [a-z0-9][a-z0-9._-]{0,62}; anything else is Error{invalid} that says which character is wrong.
  static ConceptName parse(std::string_view text);
  static bool is_valid(std::string_view text) noexcept;
  const std::string& str() const noexcept { return text_; }
  auto operator<=>(const ConceptName&) const = default;

 private:
  explicit ConceptName(std::string_view text) : text_(text) {}
  std::string text_;
};

// A name for a version: [a-z][a-z0-9._-]{0,31}, so never a number. "live" and "previous" are the registry's own.
void check_alias(std::string_view text);        // Error{invalid, "alias"} for anything else, and for those two
bool is_alias(std::string_view text) noexcept;  // those two included

// "kettle-7", "kettle-7@3" or "kettle-7@good", as it stands between < and > in a prompt.
struct ConceptReference {
  ConceptName name;
  std::optional<int> version;  // where a number stood
  std::string alias{};         // where a name stood. Neither: the live one
  static ConceptReference parse(std::string_view text);
};

// Known names that somebody who typed `name` may have meant, nearest first, at most three: a small edit distance (a
// swap of neighbours counts once), or one of them begins with the other.
std::vector<std::string> near_misses(std::string_view name, std::span<const std::string> known);

// "no concept is called 'ketle-7'; did you mean kettle-7?", for every message of that kind.
std::string unknown_concept_message(std::string_view name, std::span<const std::string> known);

}  // namespace conceptd::registry
