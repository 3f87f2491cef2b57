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

PreparedPrompt prepare_prompt(ModelBundle& bundle, const std::string& text,
                              const std::shared_ptr<const EditSet>& edits) {
  const torch::NoGradGuard no_grad;
  std::vector<Placeholder> placeholders;
  std::vector<Tensor> rows;  // (k, c) each
  auto next_id = bundle.first_placeholder_id();
  for (const auto& token : edits ? edits->tokens : std::vector<TokenEmbedding>{}) {
    auto& ids = placeholders.emplace_back(Placeholder{token.placeholder, {}}).ids;
    for (int64_t k = 0; k < token.rows.size(0); ++k) ids.push_back(next_id++);
    rows.push_back(token.rows.to(torch::kFloat));
  }
  for (const auto& span : placeholder_spans(text)) {
    if (std::none_of(placeholders.begin(), placeholders.end(), [&](const auto& known) { return known.text == span; })) {
      throw Error(Code::invalid, span + " is not one of this request's concepts", "prompt");
    }
  }
  const auto encoding = bundle.tokenizer.encode(text, placeholders);
  PreparedPrompt prepared{.dropped_text = encoding.dropped_text};
  for (const auto& placeholder : placeholders) {
    for (std::size_t k = 0; k < encoding.ids.size(); ++k) {
      const auto& ids = placeholder.ids;
      if (std::find(ids.begin(), ids.end(), encoding.ids[k]) == ids.end()) continue;
      prepared.positions[placeholder.text].push_back(static_cast<int64_t>(k));
    }
  }
  Edited adapt({edits});
  const ClipTextOptions options{.placeholder_rows = rows.empty() ? Tensor() : torch::cat(rows)};
  prepared.context = bundle.text_encoder(ids_tensor({&encoding, 1}), adapt, options).last_hidden_state[0];
  return prepared;
}

}  // namespace conceptd::diffusion
