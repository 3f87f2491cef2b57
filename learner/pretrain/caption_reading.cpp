#include "learner/pretrain/caption_reading.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/file_io.h"
#include "learner/world/bpe.h"
#include "learner/world/world.h"

namespace conceptd::pretrain {

std::string write_tokenizer(const std::filesystem::path& folder) {
  auto bpe = world::make_bpe(world::tokenizer_words());
  std::filesystem::create_directories(folder);
  write_file_durably(folder / "vocab.json", bpe.vocab_json);
  write_file_durably(folder / "merges.txt", bpe.merges_txt);
  return std::move(bpe.vocab_json);
}

CaptionCodec::CaptionCodec(const std::string& vocab_json) {
  const auto vocabulary = nlohmann::json::parse(vocab_json);
  for (const auto& [token, id] : vocabulary.items()) {
    if (token.ends_with("</w>")) ids_[token.substr(0, token.size() - 4)] = id;
  }
  size_ = static_cast<int64_t>(vocabulary.size());
  start_ = vocabulary.at("<|startoftext|>"), end_ = vocabulary.at("<|endoftext|>");
}

Tensor CaptionCodec::encode(const std::vector<std::string>& captions) const {
  auto ids = torch::full({static_cast<int64_t>(captions.size()), kContext}, end_, torch::kLong);
  auto rows = ids.accessor<int64_t, 2>();
  for (int64_t row = 0; row < ids.size(0); ++row) {
    std::istringstream words(captions[row]);
    int64_t at = 0;
    rows[row][at++] = start_;
    for (std::string word; words >> word; ++at) {
      const auto found = ids_.find(word);
      if (found == ids_.end()) throw Error(Code::invalid, "'" + word + "' is not one token");
      if (at + 1 >= kContext) throw Error(Code::invalid, "a caption of more than 30 words: " + captions[row]);
      rows[row][at] = found->second;
    }
  }
  return ids;
}

namespace {
int64_t index_in(std::span<const std::string_view> words, const std::string& word) {  // 0: not there
  for (std::size_t k = 0; k < words.size(); ++k) {
    if (words[k] == word) return static_cast<int64_t>(k) + 1;
  }
  return 0;
}
int64_t shape_index(const std::string& word) {
  const auto found = index_in(world::shape_words(), word);
  return found ? found : word == world::kAnyShape ? static_cast<int64_t>(world::shape_words().size()) + 1 : 0;
}
int64_t size_of(std::span<const std::string_view> words) { return static_cast<int64_t>(words.size()); }
}  // namespace

std::array<int64_t, kAttributes> attribute_sizes() {
  return {size_of(world::shape_words()) + 2, size_of(world::colour_words()) + 1, size_of(world::colour_words()) + 1,
          size_of(world::pattern_words()) + 1, size_of(world::badge_words()) + 1};
}

bool is_noun(const std::string& word) { return shape_index(word) != 0; }

CaptionReading read_caption(const std::string& caption) {
  CaptionReading reading;
  reading.at_token.assign(kContext, {-100, -100, -100, -100, -100});
  std::istringstream words(caption);
  int thing = -1;
  bool noun = false, place = false;
  std::array<int64_t, kAttributes> said{};
  std::size_t token = 1;
  for (std::string word; words >> word; ++token) {
    const auto background = index_in(world::background_words(), word);
    if (background) reading.background = background;
    if (background || word == "on" || word == "in" || word == "at") place = true;
    if (place) continue;
    if (const auto pattern = index_in(world::pattern_words(), word)) said[kPattern] = pattern;
    if (const auto colour = index_in(world::colour_words(), word)) said[said[kFirst] ? kSecond : kFirst] = colour;
    if (const auto shape = shape_index(word)) said[kShape] = shape, noun = true, ++thing;
    if (const auto badge = index_in(world::badge_words(), word)) said[kBadge] = badge;
    if (word == "and" && noun) noun = false, said = {};
    if (!noun) continue;
    reading.at_token[token] = said;
    if (thing < 2) reading.at_end[thing] = said;
  }
  return reading;
}

}  // namespace conceptd::pretrain
