// Byte-pair merges: the commonest neighbouring pair first (ties: the smaller pair), until every word is one symbol.
#include "learner/world/bpe.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <utility>

#include "learner/world/world.h"

namespace conceptd::world {
namespace {

using Symbols = std::vector<std::string>;
using Pair = std::pair<std::string, std::string>;

std::string utf8(unsigned code) {
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
}

// CLIP's bytes_to_unicode(): printable bytes stand for themselves and come first; the others follow, at 256 and up.
Symbols byte_symbols() {
  const auto printable = [](unsigned byte) {
    return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  };
  Symbols symbols;
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (printable(byte)) symbols.push_back(utf8(byte));
  }
  unsigned next = 256;
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (!printable(byte)) symbols.push_back(utf8(next++));
  }
  return symbols;
}

Symbols split(const std::string& word) {
  Symbols symbols;
  for (const char letter : word) {
    if (letter < 'a' || letter > 'z') throw std::invalid_argument("make_bpe: not a lower-case word: " + word);
    symbols.emplace_back(1, letter);
  }
  if (symbols.empty()) throw std::invalid_argument("make_bpe: an empty word");
  symbols.back() += "</w>";
  return symbols;
}

void merge(Symbols& symbols, const Pair& pair) {
  Symbols merged;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    const bool here = i + 1 < symbols.size() && symbols[i] == pair.first && symbols[i + 1] == pair.second;
    merged.push_back(here ? pair.first + pair.second : symbols[i]);
    if (here) ++i;
  }
  symbols = std::move(merged);
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

BpeVocabulary make_bpe(std::span<const std::string> words) {
  std::vector<Symbols> pieces;
  for (const std::string& word : std::set<std::string>(words.begin(), words.end())) pieces.push_back(split(word));

  Symbols tokens = byte_symbols();
  for (std::size_t i = 0; i < 256; ++i) tokens.push_back(tokens[i] + "</w>");
  std::set<std::string> known(tokens.begin(), tokens.end());

  BpeVocabulary out;
  out.merges_txt = "#version: 0.2\n";
  for (;;) {
    std::map<Pair, int> counts;
    for (const Symbols& symbols : pieces) {
      for (std::size_t i = 0; i + 1 < symbols.size(); ++i) ++counts[{symbols[i], symbols[i + 1]}];
    }
    if (counts.empty()) break;
    // A pair that spells a known symbol is put off: CLIP gives every merge an id of its own.
    const auto rank = [&](const auto& entry) {
      return known.contains(entry.first.first + entry.first.second) ? 0 : entry.second;
    };
    const auto best = std::max_element(counts.begin(), counts.end(), [&](const auto& a, const auto& b) {
                        return rank(a) < rank(b);
                      })->first;
    out.merges_txt += best.first + ' ' + best.second + '\n';
    if (known.insert(best.first + best.second).second) tokens.push_back(best.first + best.second);
    for (Symbols& symbols : pieces) merge(symbols, best);
  }
  tokens.push_back("<|startoftext|>");
  tokens.push_back("<|endoftext|>");

  out.vocab_json = "{";
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (id > 0) out.vocab_json += ", ";
    out.vocab_json += quoted(tokens[id]) + ": " + std::to_string(id);
  }
  out.vocab_json += "}\n";
  return out;
}

std::vector<std::string> extra_words() {
  std::vector<std::string> words;
  for (int i = trained_shapes(); i < static_cast<int>(shape_words().size()); ++i)
    words.emplace_back(shape_words()[static_cast<std::size_t>(i)]);
  for (const char* word :
       {"an",      "animal",  "backdrop",   "bag",    "bear",      "black",  "box",   "bowl",    "brown",
        "can",     "candle",  "cartoon",    "chair",  "cup",       "dog",    "doll",  "drawing", "field",
        "figure",  "glasses", "gray",       "her",    "his",       "horse",  "is",    "it",      "its",
        "large",   "monster", "my",         "near",   "new",       "object", "one",   "our",     "painting",
        "picture", "plant",   "plushie",    "poster", "sculpture", "shoe",   "sloth", "small",   "sneaker",
        "style",   "stuffed", "sunglasses", "teapot", "that",      "this",   "to",    "toy",     "two",
        "under",   "vehicle", "wearing",    "white",  "wolf",      "your"}) {
    words.emplace_back(word);
  }
  return words;
}

std::vector<std::string> tokenizer_words() {
  const std::vector<std::string> trained = vocabulary(), extra = extra_words();
  std::set<std::string> words(trained.begin(), trained.end());
  words.insert(extra.begin(), extra.end());
  return {words.begin(), words.end()};
}

}  // namespace conceptd::world
