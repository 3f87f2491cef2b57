#include "diffusion/clip_tokenizer.h"

#include <algorithm>
#include <array>
#include <queue>

#include "core/error.h"
#include "core/file_io.h"
#include "diffusion/unicode.h"

namespace conceptd::diffusion {
namespace {

using unicode::char_class;
using unicode::CharClass;

constexpr std::uint64_t kFileBytesMax = 16u << 20;
constexpr std::size_t kTextBytesMax = 64u << 10;
constexpr std::size_t kMergesMax = 49152 - 256 - 2;  // upstream reads no more
constexpr std::string_view kStart = "<|startoftext|>", kEnd = "<|endoftext|>", kWordEnd = "</w>";

// Every byte as one visible character, as GPT-2 has it.
std::array<std::string, 256> byte_symbols() {
  std::array<std::string, 256> symbols;
  char32_t spare = 256;
  for (unsigned b = 0; b < 256; ++b) {
    const bool visible = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    symbols[b] = unicode::encode(std::u32string(1, visible ? b : spare++));
  }
  return symbols;
}
const std::array<std::string, 256> kByteSymbols = byte_symbols();

bool is_cjk(char32_t c) {
  constexpr std::array<std::pair<char32_t, char32_t>, 8> kBlocks{{{0x4E00, 0x9FFF},
                                                                  {0x3400, 0x4DBF},
                                                                  {0x20000, 0x2A6DF},
                                                                  {0x2A700, 0x2B73F},
                                                                  {0x2B740, 0x2B81F},
                                                                  {0x2B820, 0x2CEAF},
                                                                  {0xF900, 0xFAFF},
                                                                  {0x2F800, 0x2FA1F}}};
  return std::any_of(kBlocks.begin(), kBlocks.end(),
                     [c](auto& block) { return c >= block.first && c <= block.second; });
}

// Words in lower case, one space between them.
std::u32string cleaned(std::u32string_view text) {
  std::u32string spaced;
  for (const auto c : text) {
    const bool blank = c == '\t' || c == '\n' || c == '\r' || char_class(c) == CharClass::Space;
    if (!blank && (char_class(c) == CharClass::Control || c == 0xFFFD)) continue;
    if (is_cjk(c)) spaced += U' ';
    spaced += blank ? U' ' : c;
    if (is_cjk(c)) spaced += U' ';
  }
  const auto composed = unicode::nfc(spaced);
  std::u32string out;
  for (std::size_t at = 0; at < composed.size();) {
    const auto space = std::min(composed.find(U' ', at), composed.size());
    if (space > at && !out.empty()) out += U' ';
    out += unicode::lower(std::u32string_view(composed).substr(at, space - at));
    at = space + 1;
  }
  return out;
}

bool starts_with(std::u32string_view text, std::string_view literal) {  // of lower-case text
  constexpr char32_t kLongS = 0x17F;                                    // matches s where case does not count
  return text.size() >= literal.size() &&
         std::equal(literal.begin(), literal.end(), text.begin(), [](char want, char32_t is) {
           return is == static_cast<char32_t>(want) || (want == 's' && is == kLongS);
         });
}

// The length of the next word by CLIP's pattern, 0 at a space:
//   <|startoftext|> | <|endoftext|> | 's | 't | 're | 've | 'm | 'll | 'd | letters | one number | anything else but
//   space
std::size_t word_length(std::u32string_view text) {
  for (const auto literal : {kStart, kEnd}) {
    if (starts_with(text, literal)) return literal.size();
  }
  for (const std::string_view literal : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    if (starts_with(text, literal)) return literal.size();
  }
  const auto first = char_class(text[0]);
  if (first == CharClass::Space) return 0;
  if (first == CharClass::Number) return 1;
  const bool letters = first == CharClass::Letter;
  std::size_t length = 1;
  for (; length < text.size(); ++length) {
    const auto next = char_class(text[length]);
    if (next == CharClass::Space || next == CharClass::Number || (next == CharClass::Letter) != letters) break;
  }
  return length;
}

std::uint64_t pair_key(std::int32_t a, std::int32_t b) {
  return static_cast<std::uint64_t>(a) << 32 | static_cast<std::uint32_t>(b);
}

Error corrupt(const std::string& what, const std::string& why) { return Error(Code::corrupt, what + ": " + why); }

}  // namespace

ClipTokenizer::ClipTokenizer(std::string_view vocab_json, std::string_view merges_txt) {
  read_vocabulary(vocab_json);
  for (const auto required : {kStart, kEnd}) {
    if (!ids_.contains(std::string(required))) throw corrupt("vocab.json", "has no " + std::string(required));
  }
  start_id_ = ids_.at(std::string(kStart));
  end_id_ = pad_id_ = unknown_id_ = ids_.at(std::string(kEnd));
  read_merges(merges_txt);
  add_special(std::string(kStart));
  add_special(std::string(kEnd));
}

ClipTokenizer ClipTokenizer::open(const std::filesystem::path& folder) {
  const auto at = [&](const char* name) { return read_file(folder / name, kFileBytesMax); };
  try {
    const auto vocabulary = at("vocab.json"), merges = at("merges.txt");
    ClipTokenizer tokenizer(vocabulary, merges);
    for (const char* name : {"special_tokens_map.json", "tokenizer_config.json"}) {
      if (std::filesystem::exists(folder / name)) tokenizer.read_settings(parse_json(at(name), name), name);
    }
    return tokenizer;
  } catch (const Error& e) {
    if (e.code() == Code::not_found || e.code() == Code::unavailable) throw;
    throw Error(Code::corrupt, folder.string() + ": " + e.what());
  }
}

void ClipTokenizer::read_vocabulary(std::string_view vocab_json) {
  const std::string what = "vocab.json";
  const auto json = parse_json(vocab_json, what, 2);
  if (!json.is_object() || json.empty()) throw corrupt(what, "not an object of tokens");
  tokens_.resize(json.size());
  for (const auto& [token, id] : json.items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= tokens_.size()) {
      throw corrupt(what, "the id of " + Json(token).dump() + " is not a number below the count of tokens");
    }
    auto& place = tokens_[id.get<std::size_t>()];
    if (token.empty() || !place.empty()) throw corrupt(what, "the id of " + Json(token).dump() + " is taken twice");
    place = token;
    ids_.emplace(token, id.get<std::int32_t>());
  }
}

std::int32_t ClipTokenizer::symbol(const std::string& text) {
  const auto [place, is_new] = symbols_.emplace(text, static_cast<std::int32_t>(symbols_.size()));
  if (is_new) {
    const auto id = ids_.find(text);
    symbol_ids_.push_back(id == ids_.end() ? static_cast<std::int32_t>(unknown_id_) : id->second);
  }
  return place->second;
}

void ClipTokenizer::read_merges(std::string_view merges_txt) {
  for (const auto& byte : kByteSymbols) symbol(byte);
  for (const auto& byte : kByteSymbols) symbol(byte + std::string(kWordEnd));
  std::size_t line_number = 0;
  for (std::size_t at = 0; at < merges_txt.size();) {
    const auto end = std::min(merges_txt.find('\n', at), merges_txt.size());
    auto line = merges_txt.substr(at, end - at);
    at = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (++line_number == 1 || line_number > kMergesMax + 1) continue;  // the first line names the version
    if (line.empty() && at >= merges_txt.size()) break;
    const auto space = line.find(' ');
    if (space == line.npos || space == 0 || space + 1 == line.size() || line.find(' ', space + 1) != line.npos) {
      throw corrupt("merges.txt", "line " + std::to_string(line_number) + " is not two symbols");
    }
    const std::string left(line.substr(0, space)), right(line.substr(space + 1));
    const Merge merge{static_cast<std::int32_t>(line_number), symbol(left + right)};
    merges_.insert_or_assign(pair_key(symbol(left), symbol(right)), merge);
  }
}

void ClipTokenizer::add_special(const std::string& text) {
  const auto found = ids_.find(text);
  if (found == ids_.end()) throw corrupt("special tokens", Json(text).dump() + " is not in the vocabulary");
  const auto same = [&](const Placeholder& p) { return p.text == text; };
  if (std::none_of(specials_.begin(), specials_.end(), same)) specials_.push_back({text, {found->second}});
}

void ClipTokenizer::read_settings(const Json& settings, const std::string& what) {
  if (!settings.is_object()) throw corrupt(what, "not a JSON object");
  const std::array<std::pair<const char*, int64_t*>, 4> roles{
      {{"bos_token", &start_id_}, {"eos_token", &end_id_}, {"pad_token", &pad_id_}, {"unk_token", &unknown_id_}}};
  for (const auto& [key, id] : roles) {
    auto found = settings.find(key);
    if (found == settings.end() || found->is_null()) continue;
    const auto& value = found->is_object() && found->contains("content") ? found->at("content") : *found;
    if (!value.is_string()) throw corrupt(what, std::string(key) + " is not a token");
    add_special(value.get<std::string>());
    *id = ids_.at(value.get<std::string>());
  }
  if (const auto added = settings.find("added_tokens_decoder"); added != settings.end()) {
    for (const auto& [id, token] : added->items()) {
      if (!token.is_object() || !token.contains("content") || !token["content"].is_string()) {
        throw corrupt(what, "added_tokens_decoder has an entry without content");
      }
      add_special(token["content"].get<std::string>());
      if (std::to_string(ids_.at(token["content"].get<std::string>())) != id) {
        throw corrupt(what, "added_tokens_decoder says " + id + " for a token that vocab.json numbers otherwise");
      }
    }
  }
  const auto length = settings.find("model_max_length");
  if (length != settings.end() && length->is_number_unsigned() && length->get<std::uint64_t>() <= 4096) {
    if (*length < 2) throw corrupt(what, "model_max_length is below 2");
    context_length_ = length->get<int64_t>();
  }
}

void ClipTokenizer::append_word(std::u32string_view word, std::vector<int64_t>& ids) const {
  const auto bytes = unicode::encode(word);
  if (bytes == kStart || bytes == kEnd) {
    ids.push_back(ids_.at(bytes));
    return;
  }
  const auto count = static_cast<std::int32_t>(bytes.size());
  std::vector<std::int32_t> symbols(bytes.size()), before(bytes.size()), after(bytes.size());
  for (std::int32_t k = 0; k < count; ++k) {
    const auto at = static_cast<std::size_t>(k);
    symbols[at] = static_cast<unsigned char>(bytes[at]) + (k + 1 == count ? 256 : 0);  // read_merges() began with these
    before[at] = k - 1;
    after[at] = k + 1;
  }
  struct Candidate {
    std::int32_t rank, at, left, right;
    bool operator>(const Candidate& o) const { return std::pair(rank, at) > std::pair(o.rank, o.at); }
  };
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  const auto consider = [&](std::int32_t at) {
    if (at < 0 || after[static_cast<std::size_t>(at)] >= count) return;
    const auto left = symbols[static_cast<std::size_t>(at)];
    const auto right = symbols[static_cast<std::size_t>(after[static_cast<std::size_t>(at)])];
    const auto found = merges_.find(pair_key(left, right));
    if (found != merges_.end()) candidates.push({found->second.rank, at, left, right});
  };
  for (std::int32_t k = 0; k < count; ++k) consider(k);
  // One pass merges every pair of the lowest rank, left to right; pairs that it makes wait for the next pass.
  while (!candidates.empty()) {
    const auto rank = candidates.top().rank;
    std::vector<std::int32_t> merged;
    for (; !candidates.empty() && candidates.top().rank == rank; candidates.pop()) {
      const auto c = candidates.top();
      const auto at = static_cast<std::size_t>(c.at);
      if (symbols[at] != c.left || after[at] >= count) continue;
      const auto next = static_cast<std::size_t>(after[at]);
      if (symbols[next] != c.right) continue;
      symbols[at] = merges_.at(pair_key(c.left, c.right)).result;
      symbols[next] = -1;
      after[at] = after[next];
      if (after[at] < count) before[static_cast<std::size_t>(after[at])] = c.at;
      merged.push_back(c.at);
    }
    for (const auto at : merged) {
      consider(before[static_cast<std::size_t>(at)]);
      consider(at);
    }
  }
  for (std::int32_t k = 0; k < count; k = after[static_cast<std::size_t>(k)]) {
    ids.push_back(symbol_ids_[static_cast<std::size_t>(symbols[static_cast<std::size_t>(k)])]);
  }
}

void ClipTokenizer::append_text(std::string_view text, std::vector<int64_t>& ids) const {
  const auto words = cleaned(unicode::decode(text));
  std::u32string_view rest = words;
  while (!rest.empty()) {
    const auto length = word_length(rest);
    if (length > 0) append_word(rest.substr(0, length), ids);
    rest.remove_prefix(std::max<std::size_t>(length, 1));
  }
}

std::vector<int64_t> ClipTokenizer::token_ids(std::string_view text, std::span<const Placeholder> placeholders) const {
  if (text.size() > kTextBytesMax) {
    throw Error(Code::exhausted, "the text is longer than " + std::to_string(kTextBytesMax) + " bytes");
  }
  std::vector<int64_t> ids;
  std::size_t from = 0;  // of the text that waits
  for (std::size_t at = 0; at < text.size();) {
    const Placeholder* longest = nullptr;
    for (const auto known : {std::span<const Placeholder>(specials_), placeholders}) {
      for (const auto& p : known) {
        if (text.substr(at).starts_with(p.text) && p.text.size() > (longest ? longest->text.size() : 0)) longest = &p;
      }
    }
    if (!longest) {
      ++at;
      continue;
    }
    append_text(text.substr(from, at - from), ids);
    ids.insert(ids.end(), longest->ids.begin(), longest->ids.end());
    from = at += longest->text.size();
  }
  append_text(text.substr(from), ids);
  return ids;
}

Encoding ClipTokenizer::encode(std::string_view text, std::span<const Placeholder> placeholders, int64_t length) const {
  if (length == 0) length = context_length_;
  if (length < 2) throw Error(Code::invalid, "a context needs room for start and end");
  auto ids = token_ids(text, placeholders);
  Encoding encoding;
  const auto room = static_cast<std::size_t>(length - 2);
  if (ids.size() > room) {
    const auto dropped = std::span<const int64_t>(ids).subspan(room);
    encoding.dropped_tokens = static_cast<int64_t>(dropped.size());
    encoding.dropped_text = decode(dropped);
    ids.resize(room);
  }
  encoding.ids.push_back(start_id_);
  encoding.ids.insert(encoding.ids.end(), ids.begin(), ids.end());
  encoding.ids.push_back(end_id_);
  encoding.length = static_cast<int64_t>(encoding.ids.size());
  encoding.ids.resize(static_cast<std::size_t>(length), pad_id_);
  return encoding;
}

bool ClipTokenizer::is_single_token(std::string_view word) const {
  const auto ids = token_ids(word);
  return ids.size() == 1 && tokens_[static_cast<std::size_t>(ids[0])].ends_with(kWordEnd);
}

std::string ClipTokenizer::decode(std::span<const int64_t> ids) const {
  static const auto kBytes = [] {
    std::unordered_map<std::string, char> bytes;
    for (unsigned b = 0; b < 256; ++b) bytes.emplace(kByteSymbols[b], static_cast<char>(b));
    return bytes;
  }();
  std::string text;
  for (const auto id : ids) {
    if (id < 0 || id >= vocab_size()) {
      text += "<?> ";
      continue;
    }
    std::string token = tokens_[static_cast<std::size_t>(id)];
    const bool ends = token.ends_with(kWordEnd);
    if (ends) token.resize(token.size() - kWordEnd.size());
    for (const auto c : unicode::decode(token)) {
      const auto byte = kBytes.find(unicode::encode(std::u32string(1, c)));
      if (byte != kBytes.end()) text += byte->second;
    }
    if (ends) text += ' ';
  }
  if (text.ends_with(' ')) text.pop_back();
  try {
    unicode::decode(text);
  } catch (const Error&) {  // cut inside a character
    std::erase_if(text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
  }
  return text;
}

Tensor ids_tensor(std::span<const Encoding> encodings) {
  std::vector<int64_t> all;
  for (const auto& encoding : encodings) all.insert(all.end(), encoding.ids.begin(), encoding.ids.end());
  return torch::tensor(all, torch::kLong).view({static_cast<int64_t>(encodings.size()), -1});
}

}  // namespace conceptd::diffusion
