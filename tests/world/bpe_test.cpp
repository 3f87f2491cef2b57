// The tokenizer's files: CLIP's layout, and one token for every word, found by CLIP's own way of encoding.
#include "learner/world/bpe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "learner/world/world.h"

namespace conceptd::world {
namespace {

using Ranks = std::map<std::pair<std::string, std::string>, int>;

Ranks ranks_of(const std::string& merges) {
  std::istringstream in(merges);
  std::string line;
  std::getline(in, line);
  EXPECT_EQ(line, "#version: 0.2");
  Ranks ranks;
  for (std::string left, right; in >> left >> right;)
    ranks.emplace(std::pair{left, right}, static_cast<int>(ranks.size()));
  return ranks;
}

// CLIP: the pair of lowest rank is merged everywhere, until no pair has a rank.
std::vector<std::string> encode(const std::string& word, const Ranks& ranks) {
  std::vector<std::string> symbols;
  for (const char letter : word) symbols.emplace_back(1, letter);
  symbols.back() += "</w>";
  for (;;) {
    auto best = ranks.end();
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto found = ranks.find({symbols[i], symbols[i + 1]});
      if (found != ranks.end() && (best == ranks.end() || found->second < best->second)) best = found;
    }
    if (best == ranks.end()) return symbols;
    std::vector<std::string> merged;
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      const bool here =
          i + 1 < symbols.size() && symbols[i] == best->first.first && symbols[i + 1] == best->first.second;
      merged.push_back(here ? symbols[i] + symbols[i + 1] : symbols[i]);
      if (here) ++i;
    }
    symbols = std::move(merged);
  }
}

TEST(Bpe, EveryWordIsOneToken) {
  const std::vector<std::string> words = tokenizer_words();
  const BpeVocabulary bpe = make_bpe(words);
  const Ranks ranks = ranks_of(bpe.merges_txt);
  const auto vocab = nlohmann::json::parse(bpe.vocab_json);
  for (const std::string& word : words) {
    EXPECT_EQ(encode(word, ranks), std::vector<std::string>{word + "</w>"});
    EXPECT_TRUE(vocab.contains(word + "</w>")) << word;
  }
  for (const std::string& symbol : encode("zyxomma", ranks)) EXPECT_TRUE(vocab.contains(symbol)) << symbol;
}

TEST(Bpe, HasTheLayoutOfClip) {
  const BpeVocabulary bpe = make_bpe(tokenizer_words());
  const auto vocab = nlohmann::json::parse(bpe.vocab_json);
  const Ranks ranks = ranks_of(bpe.merges_txt);
  EXPECT_EQ(vocab["!"], 0);
  EXPECT_EQ(vocab["a"], 64);  // as in CLIP's own file
  EXPECT_EQ(vocab["Ġ"], 220);
  EXPECT_EQ(vocab["Ń"], 255);
  EXPECT_EQ(vocab["!</w>"], 256);
  EXPECT_EQ(vocab["a</w>"], 320);
  const int size = static_cast<int>(vocab.size());
  EXPECT_EQ(size, 514 + static_cast<int>(ranks.size())) << "one id for every merge";
  for (const auto& [pair, rank] : ranks) EXPECT_EQ(vocab[pair.first + pair.second], 512 + rank);
  EXPECT_EQ(vocab["<|startoftext|>"], size - 2);
  EXPECT_EQ(vocab["<|endoftext|>"], size - 1);
}

TEST(Bpe, IsDeterministicWhateverTheOrder) {
  std::vector<std::string> words = tokenizer_words();
  const BpeVocabulary forward = make_bpe(words);
  std::reverse(words.begin(), words.end());
  const BpeVocabulary backward = make_bpe(words);
  EXPECT_EQ(forward.vocab_json, backward.vocab_json);
  EXPECT_EQ(forward.merges_txt, backward.merges_txt);
}

TEST(Bpe, RefusesWhatIsNotAWord) {
  const std::vector<std::string> empty{""}, capital{"Mug"};
  EXPECT_THROW(make_bpe(empty), std::invalid_argument);
  EXPECT_THROW(make_bpe(capital), std::invalid_argument);
}

}  // namespace
}  // namespace conceptd::world
