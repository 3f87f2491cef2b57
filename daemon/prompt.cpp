#include "daemon/prompt.h"

#include <algorithm>

#include "core/error.h"

namespace conceptd::daemon {
namespace {

struct Span {
  std::size_t begin, end;  // of what stands between < and >
};

std::vector<Span> spans_of(std::string_view prompt) {
  std::vector<Span> spans;
  for (std::size_t open = prompt.find('<'); open != std::string_view::npos; open = prompt.find('<', open + 1)) {
    const std::size_t stop = prompt.find_first_of("<> \t\r\n", open + 1);
    if (stop == std::string_view::npos || prompt[stop] != '>' || stop == open + 1) continue;
    spans.push_back({open + 1, stop});
  }
  return spans;
}

registry::ConceptReference reference_to(std::string_view text, const std::vector<std::string>& known) {
  const std::string_view name = text.substr(0, text.find('@'));
  if (std::find(known.begin(), known.end(), name) == known.end())
    throw Error(Code::not_found, registry::unknown_concept_message(name, known), "prompt");
  try {
    return registry::ConceptReference::parse(text);
  } catch (const Error& error) {
    throw Error(error.code(), error.what(), "prompt");
  }
}

bool is_word_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

}  // namespace

Prompt read_prompt(std::string_view prompt, const std::vector<std::string>& known) {
  Prompt read;
  std::size_t copied = 0;
  for (const Span& span : spans_of(prompt)) {
    registry::ConceptReference reference = reference_to(prompt.substr(span.begin, span.end - span.begin), known);
    read.text.append(prompt.substr(copied, span.begin - copied)).append(reference.name.str());
    copied = span.end;
    const auto same = std::find_if(read.references.begin(), read.references.end(),
                                   [&](const auto& other) { return other.name == reference.name; });
    if (same == read.references.end())
      read.references.push_back(std::move(reference));
    else if (same->version != reference.version || same->alias != reference.alias)
      throw Error(Code::invalid, "the prompt asks for two versions of " + reference.name.str() + " in one picture",
                  "prompt");
  }
  read.text.append(prompt.substr(copied));
  return read;
}

std::vector<std::string> suggestions_for(std::string_view prompt, const std::vector<std::string>& known) {
  std::vector<std::string> suggestions;
  for (const Span& span : spans_of(prompt)) {
    std::string_view name = prompt.substr(span.begin, span.end - span.begin);
    name = name.substr(0, name.find('@'));
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    for (const std::string& near : registry::near_misses(name, known)) suggestions.push_back("<" + near + ">");
  }
  return suggestions;
}

bool mentions_concepts(std::string_view text) { return !spans_of(text).empty(); }

std::vector<std::string> words_of(std::string_view prompt) {
  std::string text(prompt);
  for (const Span& span : spans_of(prompt))
    std::fill(text.begin() + static_cast<std::ptrdiff_t>(span.begin),
              text.begin() + static_cast<std::ptrdiff_t>(span.end), ' ');
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    if (!is_word_byte(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && is_word_byte(text[end])) ++end;
    std::string word = text.substr(at, end - at);
    if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(std::move(word));
    at = end;
  }
  return words;
}

}  // namespace conceptd::daemon
