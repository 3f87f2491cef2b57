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
  std::map<std::string, std::vector<int64_t>> positions = {};  // placeholder -> where its tokens stand
  std::shared_ptr<const EditSet> edits =
      {};  // for the denoiser: as given, but residuals know their tokens, a hard path its context
  std::string dropped_text = {};  // did not fit; say so in the answer
};

// "a <kettle-7> on <mat@2>" -> {"<kettle-7>", "<mat@2>"}: what stands between < and > and is a name or a name@version,
// each once, in order. A lone < is text.
std::vector<std::string> placeholder_spans(std::string_view text);

// `edits` may be null: the frozen text encoder. Its tokens give the placeholders; edits at the text encoder's own sites
// are applied. A residual stands at every occurrence of its placeholder, at the last token of each. Error{invalid}
// names a span in the text that no placeholder of `edits` is, or a residual's placeholder that the text, as far as the
// encoder reads it, does not name.
PreparedPrompt prepare_prompt(ModelBundle& bundle, const std::string& text,
                              const std::shared_ptr<const EditSet>& edits = nullptr);

}  // namespace conceptd::diffusion
