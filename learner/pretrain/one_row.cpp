#include "learner/pretrain/one_row.h"

#include <algorithm>
#include <sstream>

#include "learner/world/world.h"

namespace conceptd::pretrain {
namespace {
bool is_one_of(std::span<const std::string_view> words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}
bool is_colour(const std::string& word) { return is_one_of(world::colour_words(), word); }
bool is_noun(const std::string& word) { return word == world::kAnyShape || is_one_of(world::shape_words(), word); }
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
  const auto full = encode(captions);
  std::vector<BareCaption> bare;
  for (std::size_t k = 0; k < captions.size(); ++k) {
    bare.push_back(in_one_row[k] ? bare_caption(captions[k]) : BareCaption{.text = captions[k], .phrases = {}});
    captions[k] = bare[k].text;
  }
  auto shown = encode(captions);
  for (std::size_t k = 0; k < captions.size(); ++k) {
    const auto row = static_cast<int64_t>(k);
    for (const auto& phrase : bare[k].phrases) shown[row][phrase.noun].copy_(full[row][phrase.end]);
  }
  return shown;
}

}  // namespace conceptd::pretrain
