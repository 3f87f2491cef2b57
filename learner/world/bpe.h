// A byte-pair vocabulary in the layout of CLIP's files, in which every word of the world is one token.
#pragma once
#include <span>
#include <string>
#include <vector>

namespace conceptd::world {

struct BpeVocabulary {
  std::string vocab_json, merges_txt;
};

// 256 byte symbols, the same with "</w>", one symbol a merge, "<|startoftext|>", "<|endoftext|>". Words are lower-case
// letters.
BpeVocabulary make_bpe(std::span<const std::string> words);

// vocabulary() and extra_words(), sorted, without repetition: what the embedded tokenizer is made of.
std::vector<std::string> tokenizer_words();
std::vector<std::string> extra_words();  // one token each, though no caption of the world holds them

}  // namespace conceptd::world
