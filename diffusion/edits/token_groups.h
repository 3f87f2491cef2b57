// Who the tokens of one joint attention are, and who of them may see whom: several subjects in one picture.
//
// Source: MUSAR (arXiv 2505.02823), as specified in musar_and_tuning_encoder.md, A2, A3.2 and A4. Its static mask is
// known at second hand, its dynamic mask not at all: what is here is our reconstruction.
//   P    the prompt            X    the noisy picture        C_i  subject i: its caption T_i and its reference V_i
//   open(q, k)  iff  q in X, or k in X, or q and k are in the same group
//   and where tokens of X are owned: p in X and k in C_j see each other only if j owns p, either way.
//
// Legend: b batch, n tokens of X, c subjects, s tokens in the order that softmax sees: the text stream [P | T_0 | …],
// then the image stream [X | V_0 | …].
#pragma once
#include <vector>

#include "diffusion/adaptation.h"

namespace conceptd::diffusion {

struct TokenGroups {
  // A token's group. Padding sees itself and is seen by no other.
  static constexpr int64_t kPadding = -1, kPrompt = 0, kPicture = 1, kFirstSubject = 2;  // subject i: kFirstSubject + i

  // How many tokens each has; captions and references one a subject, captions may be 0.
  static TokenGroups of(int64_t prompt, int64_t picture, const std::vector<int64_t>& captions,
                        const std::vector<int64_t>& references);

  Tensor text = {}, image = {};  // int64: the group of each token of the two streams
  int64_t subjects = 0;
  Tensor all() const { return torch::cat({text, image}); }  // (s)
  Tensor picture_tokens() const;                            // (n) int64: where X stands in all()
  Tensor caption_tokens(int64_t subject) const;             // where T_i stands in all()
  Tensor reference_tokens(int64_t subject) const;           // where V_i stands in all()
};

// Who owns the tokens of X. Both undefined: nobody asks (the static mask alone).
struct Ownership {
  Tensor owner;  // (b, n) int64: a subject, or -1: none
  Tensor open;   // (b, c) bool: a subject whose tokens see all of X and are seen by all of it, owned or not
};

// (b or 1, q, s) bool: what the tokens `queries` (q) int64 may see.
Tensor open_pairs(const TokenGroups& groups, const Ownership& ownership, const Tensor& queries);
// The same of all tokens as softmax takes it: 0 or -inf, (b or 1, 1, s, s) fp32.
Tensor mask_bias(const TokenGroups& groups, const Ownership& ownership);
// The same for softmax_attention() part by part, where all rows have one mask; closed pairs are then not computed.
std::vector<AttendPart> mask_parts(const TokenGroups& groups, const Ownership& ownership);

}  // namespace conceptd::diffusion
