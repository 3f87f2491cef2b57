// Named individuals. Large models know some things by name, "Mona Lisa" or "Big Ben", and draw all that is their own
// from that one word: there are directions among the encodings of their words that say what no adjective does. A world
// whose captions are adjectives alone teaches a denoiser that a word's values say an adjective's worth and no more, and
// no method that learns values can then make it draw this kettle and no other.
//
// So a part of the captions that have a whole phrase in one row (one_row.h) is of individuals: to the noun's row is
// added what the thing looks like, by a fixed random map of its attributes. Nobody who learns a concept is told the
// map, and no held-out thing was ever shown.
//
// Legend: b captions, k things a caption (2), n text tokens, c text width, d attributes.
#pragma once
#include "diffusion/torch.h"
#include "learner/world/world.h"

namespace conceptd::pretrain {
using torch::Tensor;

class Individuals {
 public:
  // state_spread: standard deviation of the values of text states, of which an attribute's share is a fifth.
  Individuals(int64_t text_width, double state_spread);
  // (c): what is added to the row of a thing's noun.
  Tensor said_of(const world::Instance& instance) const;
  // nouns (b, k, n), 1 where the noun of a thing stands, is_individual (b): (b, n, c), 0 for all other rows.
  Tensor said_in(const Tensor& nouns, std::span<const world::Scene> scenes,
                 const std::vector<bool>& is_individual) const;

 private:
  Tensor map_;  // (d, c)
};

// (d), each within -2..2, mostly -1..1: proportions, both colours, pattern and its period, badge and its place.
Tensor attributes_of(const world::Instance& instance);

}  // namespace conceptd::pretrain
