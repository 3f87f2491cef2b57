#include "learner/pretrain/one_row.h"

#include <algorithm>
#include <sstream>

#include "learner/pretrain/caption_reading.h"
#include "learner/world/world.h"

namespace conceptd::pretrain {
namespace {
bool is_one_of(std::span<const std::string_view> words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}
bool is_colour(const std::string& word) { return is_one_of(world::colour_words(), word); }
}  // namespace

BareCaption bare_caption(const std::string& caption) {
  std::istringstream in(caption);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  BareCaption bare;
  int64_t row = 0;  // of the bare text; the start token has the first
  for (std::size_t k = 0; k < words.size(); ++k) {
    const auto& word = words[k];
    const bool between_colours = word == "and" && k > 0 && is_colour(words[k - 1]);
    if (is_colour(word) || is_one_of(world::pattern_words(), word) || between_colours) continue;
    bare.text += (bare.text.empty() ? "" : " ") + word;
    ++row;
    if (!is_noun(word)) continue;
    bare.phrases.push_back({.noun = row, .end = static_cast<int64_t>(k) + 1});
    const bool badge = k + 3 < words.size() && words[k + 1] == "with" && is_one_of(world::badge_words(), words[k + 3]);
    if (badge) k += 3, bare.phrases.back().end += 3;
  }
  return bare;
}

Shown encode_phrases(std::vector<std::string>& captions, const std::vector<Phrases>& phrases, const Encode& encode) {
  Shown out;
  out.states = encode(captions), out.keys = out.states.clone();
  std::vector<int64_t> rows;
  std::vector<std::string> texts;
  std::vector<BareCaption> bare;
  for (std::size_t k = 0; k < captions.size(); ++k) {
    if (phrases[k] == Phrases::spread) continue;
    bare.push_back(bare_caption(captions[k]));
    rows.push_back(static_cast<int64_t>(k)), texts.push_back(bare.back().text);
    captions[k] = texts.back();
  }
  if (rows.empty()) return out;
  const auto encoded = encode(texts);
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const auto row = rows[k];
    const auto mine = encoded[static_cast<int64_t>(k)].clone();
    out.keys[row].copy_(mine);
    for (const auto& phrase : bare[k].phrases) mine[phrase.noun].copy_(out.states[row][phrase.end]);
    out.states[row].copy_(mine);
    if (phrases[static_cast<std::size_t>(row)] == Phrases::in_one_row) out.keys[row].copy_(mine);
  }
  return out;
}

}  // namespace conceptd::pretrain
