// CLIP's byte-pair tokenizer: text to the ids that the text encoder reads. It answers as transformers' CLIPTokenizer
// does without ftfy, which is what diffusers' pipelines use: special and added tokens are cut out of the raw text, then
// control characters go, CJK characters stand apart, NFC, lower case, CLIP's word pattern, bytes, merges. Source:
// huggingface/transformers v4.44 (behaviour); openai/CLIP simple_tokenizer.py.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/json.h"
#include "diffusion/torch.h"

namespace conceptd::diffusion {

// A word that is not in the vocabulary: wherever `text` stands, these ids stand (from vocab_size() on: placeholder
// rows).
struct Placeholder {
  std::string text;  // "<kettle-7>"
  std::vector<int64_t> ids;
};

struct Encoding {
  std::vector<int64_t> ids;    // context_length of them: start, text, end, padding
  int64_t length = 0;          // of start, text and end
  int64_t dropped_tokens = 0;  // of the text, because it was too long
  std::string dropped_text;    // what they said
};

// Immutable, so any number of threads may share one.
class ClipTokenizer {
 public:
  // The folder of a diffusers model: vocab.json, merges.txt, and tokenizer_config.json, special_tokens_map.json if
  // present. Error{corrupt} names the file and what is wrong in it.
  static ClipTokenizer open(const std::filesystem::path& folder);
  ClipTokenizer(std::string_view vocab_json, std::string_view merges_txt);

  int64_t vocab_size() const { return static_cast<int64_t>(tokens_.size()); }
  int64_t context_length() const { return context_length_; }
  int64_t start_id() const { return start_id_; }
  int64_t end_id() const { return end_id_; }
  int64_t pad_id() const { return pad_id_; }

  // Ids of the text alone. Where several placeholders fit, the longest counts. Error{invalid} if the text is not UTF-8,
  // Error{exhausted} if it is longer than 64 KiB.
  std::vector<int64_t> token_ids(std::string_view text, std::span<const Placeholder> placeholders = {}) const;
  // With start, end and padding. `length` 0: context_length().
  Encoding encode(std::string_view text, std::span<const Placeholder> placeholders = {}, int64_t length = 0) const;
  // Is it one word that the vocabulary has as a whole?
  bool is_single_token(std::string_view word) const;
  std::string decode(std::span<const int64_t> ids) const;  // for people; ids beyond the vocabulary read "<?>"

 private:
  struct Merge {
    std::int32_t rank, result;
  };
  void read_vocabulary(std::string_view vocab_json);
  void read_merges(std::string_view merges_txt);
  void read_settings(const Json& settings, const std::string& what);
  void add_special(const std::string& text);
  std::int32_t symbol(const std::string& text);  // interned
  void append_text(std::string_view text, std::vector<int64_t>& ids) const;
  void append_word(std::u32string_view word, std::vector<int64_t>& ids) const;

  std::vector<std::string> tokens_;  // by id
  std::unordered_map<std::string, std::int32_t> ids_;
  std::unordered_map<std::string, std::int32_t> symbols_;  // whatever merging can yield
  std::vector<std::int32_t> symbol_ids_;                   // symbol -> id; unknown_id_ where the vocabulary lacks it
  std::unordered_map<std::uint64_t, Merge> merges_;        // (symbol, symbol)
  std::vector<Placeholder> specials_;
  int64_t context_length_ = 77, start_id_ = 0, end_id_ = 0, pad_id_ = 0, unknown_id_ = 0;
};

Tensor ids_tensor(std::span<const Encoding> encodings);  // (b, n) int64; all of one length

}  // namespace conceptd::diffusion
