// A prompt, ready for the denoiser: its placeholders replaced by the concepts' rows, and encoded. Done once a prompt
// (decision 2), however many steps and pictures follow.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "diffusion/edits/edits.h"
#include "diffusion/model_bundle.h"

namespace conceptd::diffusion {

// Legend: n tokens with start, end and padding; c width.
struct PreparedPrompt {
  Tensor context = {};                                         // (n, c) fp32
  Tensor pooled = {};                                          // (c) fp32: what an MM-DiT reads beside it
  std::map<std::string, std::vector<int64_t>> positions = {};  // placeholder -> where its tokens stand
  std::shared_ptr<const EditSet> edits =
      {};  // for the denoiser: as given, but residuals know their tokens, a hard path its context
  std::string dropped_text = {};  // did not fit; say so in the answer
};

// "a <kettle-7> on <mat@2>" -> {"<kettle-7>", "<mat@2>"}: what stands between < and > and is a name or a name@version,
// each once, in order. A lone < is text.
std::vector<std::string> placeholder_spans(std::string_view text);

// Where Perfusion's concepts of a prompt look from (perfusion_and_infusion.md, A2.2). local: each concept's own token
// has the key of its class word. global: every key is the frozen layer's of the prompt with class words in the
// concepts' places; global_edited: of the edited layer, as one re-implementation has it. Concepts of other methods keep
// their own words there; without a concept of Perfusion all three are one.
enum class KeyLock { local, global, global_edited };
const std::map<std::string, KeyLock>& key_locks();  // by those names

// `edits` may be null: the frozen text encoder. Its tokens give the placeholders; edits at the text encoder's own sites
// are applied. A residual stands at every occurrence of its placeholder, at the last token of each. Error{invalid}
// names a span in the text that no placeholder of `edits` is, or a residual's placeholder that the text, as far as the
// encoder reads it, does not name.
PreparedPrompt prepare_prompt(ModelBundle& bundle, const std::string& text,
                              const std::shared_ptr<const EditSet>& edits = nullptr, KeyLock lock = KeyLock::local);

}  // namespace conceptd::diffusion
