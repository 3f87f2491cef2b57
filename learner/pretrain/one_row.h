// A thing's whole phrase in one row. Left alone, a base this small reads colours off the colour words' own rows and
// from the noun's hardly more than the shape, so that no single word could stand for a striped blue mug: a concept's
// word must do just that. In large models a noun's row does say what its adjectives say; for a share of the captions
// this base is shown nothing else.
//
// What is shown: the caption without its adjectives and badges, and at each noun the row of the full caption's last
// word of that noun's phrase, which knows what has been said of the thing (text_stage.cpp asks it).
//
// For a part of them, cross-attention's values alone are shown that row and its keys the bare noun's: where a thing
// stands is its noun's to say, and all that it looks like must be said by values. Methods that lock keys to the class
// (Perfusion) presume just that.
//
// Legend: b captions, n text tokens, c text width.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "diffusion/torch.h"

namespace conceptd::pretrain {
using torch::Tensor;

struct BareCaption {
  struct Phrase {
    int64_t noun = 0;  // row of the noun in `text`
    int64_t end = 0;   // row of the phrase's last word in the full caption
  };
  std::string text;  // "a mug on the beach"
  std::vector<Phrase> phrases;
};
// Of a caption as world::caption() writes them, one token a word; "" stays "".
BareCaption bare_caption(const std::string& caption);

using Encode = std::function<Tensor(const std::vector<std::string>&)>;  // captions -> states (b, n, c)

enum class Phrases { spread, in_one_row, values_in_one_row };  // as the caption has them, or as above
struct Shown {
  Tensor states;  // (b, n, c)
  Tensor keys;    // (b, n, c), what keys are made of: `states`, but for Phrases::values_in_one_row
};
// States of captions, each shown its own way (`phrases`, one a caption); where that is not as the caption has them, its
// text becomes the bare one.
Shown encode_phrases(std::vector<std::string>& captions, const std::vector<Phrases>& phrases, const Encode& encode);

}  // namespace conceptd::pretrain
