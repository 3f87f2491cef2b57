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

Tensor encode_in_one_row(std::vector<std::string>& captions, const std::vector<bool>& in_one_row,
                         const Encode& encode) {
  auto states = encode(captions);
  std::vector<int64_t> rows;
  std::vector<std::string> texts;
  std::vector<BareCaption> bare;
  for (std::size_t k = 0; k < captions.size(); ++k) {
    if (!in_one_row[k]) continue;
    bare.push_back(bare_caption(captions[k]));
    rows.push_back(static_cast<int64_t>(k)), texts.push_back(bare.back().text);
    captions[k] = texts.back();
  }
  if (rows.empty()) return states;
  const auto shown = encode(texts);
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const auto mine = shown[static_cast<int64_t>(k)];
    for (const auto& phrase : bare[k].phrases) mine[phrase.noun].copy_(states[rows[k]][phrase.end]);
    states[rows[k]].copy_(mine);
  }
  return states;
}

}  // namespace conceptd::pretrain
