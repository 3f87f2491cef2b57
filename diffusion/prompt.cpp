#include "diffusion/prompt.h"

#include <algorithm>

#include "core/error.h"
#include "diffusion/edits/edited.h"

namespace conceptd::diffusion {

namespace {

bool is_reference(std::string_view text) {  // name or name@version
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_first = [&](char c) { return (c >= 'a' && c <= 'z') || is_digit(c); };
  const auto is_next = [&](char c) { return is_first(c) || c == '.' || c == '_' || c == '-'; };
  const auto at = text.find('@');
  const auto name = text.substr(0, at);
  if (name.empty() || name.size() > 63 || !is_first(name[0]) || !std::all_of(name.begin(), name.end(), is_next)) {
    return false;
  }
  if (at == text.npos) return true;
  const auto version = text.substr(at + 1);
  return !version.empty() && version.size() <= 9 && std::all_of(version.begin(), version.end(), is_digit);
}

// Residuals at the last token of each occurrence of their placeholders.
std::shared_ptr<const EditSet> placed(const std::shared_ptr<const EditSet>& edits,
                                      const std::vector<Placeholder>& placeholders, const std::vector<int64_t>& ids) {
  const auto by_name = [](const TokenResidual& edit) { return !edit.placeholder.empty(); };
  if (!edits || !any_residual(*edits, by_name)) return edits;
  auto set = std::make_shared<EditSet>(*edits);
  for (auto& [path, site] : set->sites) {
    for (auto& edit : site.residual) {
      if (!by_name(edit)) continue;
      edit.positions.clear();
      for (const auto& placeholder : placeholders) {
        if (placeholder.text != edit.placeholder || placeholder.ids.empty()) continue;
        for (std::size_t k = 0; k < ids.size(); ++k) {
          if (ids[k] == placeholder.ids.back()) edit.positions.push_back(static_cast<int64_t>(k));
        }
      }
      if (edit.positions.empty()) {
        throw Error(Code::invalid,
                    "the base does not read " + edit.placeholder +
                        " in this prompt; name it, and early enough in a prompt that is long",
                    "prompt");
      }
    }
  }
  return set;
}

// A text as the text encoder will read it.
struct Reading {
  std::vector<Placeholder> placeholders;
  std::vector<Tensor> rows;             // (k, c) each
  std::map<int64_t, int64_t> word_ids;  // of a stand-in: the vocabulary's id that the encoder reads
  Encoding encoding;

  Reading(const ModelBundle& bundle, const std::string& text, const std::vector<TokenEmbedding>& tokens) {
    auto next_id = bundle.first_placeholder_id(), stand_in = next_id;
    for (const auto& token : tokens) stand_in += token.rows.defined() ? token.rows.size(0) : 0;
    for (const auto& token : tokens) {
      auto& ids = placeholders.emplace_back(Placeholder{token.placeholder, {}}).ids;
      if (token.rows.defined()) {
        for (int64_t k = 0; k < token.rows.size(0); ++k) ids.push_back(next_id++);
        rows.push_back(token.rows.to(torch::kFloat));
      } else {  // ids of its own, so that it is told from the same word elsewhere in the text
        for (const auto id : bundle.tokenizer.token_ids(token.words)) word_ids[ids.emplace_back(stand_in++)] = id;
      }
    }
    for (const auto& span : placeholder_spans(text)) {
      const auto is_it = [&](const Placeholder& known) { return known.text == span; };
      if (std::none_of(placeholders.begin(), placeholders.end(), is_it))
        throw Error(Code::invalid, span + " is not one of this request's concepts", "prompt");
    }
    encoding = bundle.tokenizer.encode(text, placeholders);
  }

  ClipTextOutput encoded(ModelBundle& bundle, const std::shared_ptr<const EditSet>& edits) const {  // of one row
    auto read = encoding;
    for (auto& id : read.ids) {
      if (const auto it = word_ids.find(id); it != word_ids.end()) id = it->second;
    }
    Edited adapt({edits});
    const ClipTextOptions options{.placeholder_rows = rows.empty() ? Tensor() : torch::cat(rows)};
    return bundle.text_encoder(ids_tensor({&read, 1}), adapt, options);
  }
};

}  // namespace

std::vector<std::string> placeholder_spans(std::string_view text) {
  std::vector<std::string> spans;
  for (auto open = text.find('<'); open != text.npos; open = text.find('<', open + 1)) {
    const auto close = text.find('>', open);
    if (close == text.npos) break;
    if (!is_reference(text.substr(open + 1, close - open - 1))) continue;
    std::string span(text.substr(open, close - open + 1));
    if (std::find(spans.begin(), spans.end(), span) == spans.end()) spans.push_back(std::move(span));
  }
  return spans;
}

const std::map<std::string, KeyLock>& key_locks() {
  static const std::map<std::string, KeyLock> g_locks{
      {"local", KeyLock::local}, {"global", KeyLock::global}, {"global_edited", KeyLock::global_edited}};
  return g_locks;
}

PreparedPrompt prepare_prompt(ModelBundle& bundle, const std::string& text, const std::shared_ptr<const EditSet>& edits,
                              KeyLock lock) {
  const torch::NoGradGuard no_grad;
  const auto tokens = edits ? edits->tokens : std::vector<TokenEmbedding>{};
  const Reading reading(bundle, text, tokens);
  PreparedPrompt prepared{.dropped_text = reading.encoding.dropped_text};
  for (const auto& placeholder : reading.placeholders) {
    for (std::size_t k = 0; k < reading.encoding.ids.size(); ++k) {
      const auto& ids = placeholder.ids;
      if (std::find(ids.begin(), ids.end(), reading.encoding.ids[k]) == ids.end()) continue;
      prepared.positions[placeholder.text].push_back(static_cast<int64_t>(k));
    }
  }
  prepared.edits = placed(edits, reading.placeholders, reading.encoding.ids);
  const auto encoded = reading.encoded(bundle, prepared.edits);
  prepared.context = encoded.last_hidden_state[0];
  prepared.pooled = encoded.pooled[0];
  // The same text with other words in the place of some placeholders.
  const auto as_words = [&](const auto& word_of, const std::shared_ptr<const EditSet>& edited) {
    auto read = tokens;
    for (auto& token : read)
      if (const auto word = word_of(token); !word.empty()) token.rows = Tensor(), token.words = word;
    return Reading(bundle, text, read).encoded(bundle, edited).last_hidden_state[0];
  };
  const auto lockable = [](const TokenEmbedding& token) { return token.rows.defined() ? token.words : std::string(); };
  if (lock != KeyLock::local &&
      std::any_of(tokens.begin(), tokens.end(), [&](const auto& token) { return !lockable(token).empty(); })) {
    auto set = std::make_shared<EditSet>(*prepared.edits);
    set->key_context = as_words(lockable, prepared.edits);
    set->key_edits = lock == KeyLock::global_edited;
    prepared.edits = std::move(set);
  }
  if (edits && edits->hard) {
    const auto hard_word = [&](const TokenEmbedding& token) {
      const auto word = edits->hard->words.find(token.placeholder);
      return word == edits->hard->words.end() ? std::string() : word->second;
    };
    auto set = std::make_shared<EditSet>(*prepared.edits);
    set->hard->context = as_words(hard_word, without_soft_path({prepared.edits})[0]);
    prepared.edits = std::move(set);
  }
  return prepared;
}

}  // namespace conceptd::diffusion
