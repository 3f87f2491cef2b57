// What a caption says, read back from its words: the targets that teach the text encoder to bind attributes to things.
#pragma once
#include <array>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "diffusion/torch.h"

namespace conceptd::pretrain {
using torch::Tensor;

inline constexpr int64_t kContext = 32;  // tokens, with start and end

// Token ids of captions whose words are each one token of the vocabulary.
class CaptionCodec {
 public:
  explicit CaptionCodec(const std::string& vocab_json);
  // (b, kContext) int64: start, words, then end tokens to the brim. Error{invalid} on a word that is not one token, or
  // too many.
  Tensor encode(const std::vector<std::string>& captions) const;
  int64_t size() const { return size_; }
  int64_t start() const { return start_; }
  int64_t end() const { return end_; }

 private:
  std::unordered_map<std::string, int64_t> ids_;
  int64_t size_ = 0, start_ = 0, end_ = 0;
};

// Writes the world's tokenizer, vocab.json and merges.txt, into `folder`; returns its vocab.json.
std::string write_tokenizer(const std::filesystem::path& folder);

// Attributes of one thing as far as the caption says them: 0 is "not said", k + 1 is word k.
enum Attribute : int { kShape, kFirst, kSecond, kPattern, kBadge, kAttributes };
std::array<int64_t, kAttributes> attribute_sizes();

struct CaptionReading {
  // At each word from a thing's noun to its phrase's end: what is said of it so far. Row: token, column: attribute;
  // -100: no target.
  std::vector<std::array<int64_t, kAttributes>> at_token;    // kContext rows
  std::array<std::array<int64_t, kAttributes>, 2> at_end{};  // of both things; a missing thing has all 0
  int64_t background = 0;
};
CaptionReading read_caption(const std::string& caption);
bool is_noun(const std::string& word);  // a shape's, or the word for any

}  // namespace conceptd::pretrain
