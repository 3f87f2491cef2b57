// What a concept changes, as pure data: an edit is a struct of tensors, an EditSet says which edits stand at which
// site. Interpreters are the apply_edits() functions of apply_edits.h; Edited (edited.h) runs them for a batch.
//
// A site is the checkpoint prefix of a layer ("….attn2.to_k"). Legend: c context width (what the edited layer reads),
// out what it yields, k rows of one placeholder, r rank.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "diffusion/torch.h"

namespace conceptd::diffusion {

// How the text encoder reads a placeholder: as rows of the token table, or as words that it knows.
struct TokenEmbedding {
  std::string placeholder;  // as written in a prompt: "<kettle-7>"
  Tensor rows;              // (k, c), one a placeholder token; undefined: as `words`
  std::string words = {};   // "kettle"; beside rows: what keys read where they are locked globally, or nothing
};

// Perfusion's key-locked, gated rank-one edit (perfusion_and_infusion.md, A2). `input` and `key` are one vector for all
// sites of a concept; sharing the tensors lets their products be computed once for all of them.
struct RankOne {
  Tensor input;                         // i* (c)
  Tensor key;                           // k = C⁻¹ i* / (i*ᵀ C⁻¹ i*) (c), so k·i* = 1
  Tensor output;                        // o* (out)
  double bias = .7, temperature = .15;  // β, τ of the gate; a request may choose its own
};

// Infusion's residual, added to what the layer yields at the given tokens of a row.
struct TokenResidual {
  Tensor residual;                 // (out)
  std::vector<int64_t> positions;  // of the word in the row's prompt
  // Whose word it is: prepare_prompt() fills `positions` in for a prompt. Empty: they stand already.
  std::string placeholder = {};
  // Cross-attention of the row looks where it would look without this residual (borrowed_maps.h).
  bool keeps_maps = true;
};

// W + scale * up down, at every token.
struct LowRank {
  // (r, c), (out, r); `down` undefined: `up` (out, c) is the whole difference. Or (b, r, c), (b, out, r): one for each
  // row that shares the set.
  Tensor down, up;
  double scale = 1;
  bool soft = false;  // on the soft path alone; see HardPath
};

// A second path through every attention, beside the one that the edits make (the soft path): without soft LowRank
// edits, real words in a placeholder's place. Attention yields alpha * soft + (1 - alpha) * hard.
struct HardPath {
  double alpha = .5;                         // 0..1
  std::map<std::string, std::string> words;  // placeholder -> what the hard path reads: "mug"
  // (n, c): the prompt with those words, which prepare_prompt() encodes. Or (b, n, c): one for each row that shares the
  // set.
  Tensor context = {};
};

struct SiteEdits {
  std::vector<RankOne> rank_one;
  std::vector<TokenResidual> residual;
  std::vector<LowRank> low_rank;
};

struct EditSet {
  std::vector<TokenEmbedding> tokens;  // read where the prompt is prepared; Edited does not look at them
  std::map<std::string, SiteEdits> sites;
  // Perfusion's global key lock (A2.2): what every key layer of cross-attention reads in place of the row's prompt,
  // (n, c) fp32, as the frozen layer; with key_edits, as the edited one. Undefined: the prompt. prepare_prompt()
  // makes it.
  Tensor key_context = {};
  bool key_edits = false;
  std::optional<HardPath> hard = {};
  bool empty() const { return tokens.empty() && sites.empty() && !hard; }
};

// Concepts beside each other: every edit of `more` joins its site in `set`. Of two hard paths the larger alpha stays.
void add_edits(EditSet& set, const EditSet& more);

// Does `test` hold for any of its token residuals?
template <class Test>
bool any_residual(const EditSet& set, const Test& test) {
  for (const auto& [path, edits] : set.sites) {
    for (const auto& residual : edits.residual) {
      if (test(residual)) return true;
    }
  }
  return false;
}

}  // namespace conceptd::diffusion
