// The embedded base, loaded once for all tests of this room: real weights, so that learning is really learning. It
// states two places and not all ten, so that guessing where photos were taken takes a third of the time.
#pragma once
#include "diffusion/delta.h"
#include "diffusion/model_bundle.h"
#include "learner/learner.h"
#include "learner/pretrain/scenes.h"
#include "learner/pretrain/stages.h"

namespace conceptd::learner {

inline diffusion::ModelBundle& embedded_base() {
  static auto g_bundle = [] {
    auto bundle = diffusion::ModelBundle::open(CONCEPTD_SOURCE_DIR "/models/tiny-64");
    bundle.learning.places.resize(2);
    return bundle;
  }();
  return g_bundle;
}

// Four photos of a held-out thing, (4, 3, 64, 64).
inline torch::Tensor photos_of(std::size_t held_out) {
  auto random = pretrain::task_random(0x7e57, static_cast<int64_t>(held_out), 0);
  std::vector<world::Scene> scenes;
  for (int k = 0; k < 4; ++k) scenes.push_back(world::photograph(world::held_out().at(held_out).instance, random));
  return pretrain::render_scenes(scenes);
}

// Of the denoiser, a picture each: guessing where four photos were taken, eight looks at each in each of two places.
inline constexpr int kGuessingPasses = 4 * 8 * 2;

inline LearnRequest request_for(std::size_t held_out, const nlohmann::json& settings) {
  const auto& instance = world::held_out().at(held_out).instance;
  return {.name = "thing-1",
          .class_word = std::string(world::shape_words()[static_cast<std::size_t>(instance.shape)]),
          .photos = photos_of(held_out),
          .masks = {},
          .seed = 5,
          .settings = settings};
}

// A word whose row is another word's: what one would have that learnt a quite different thing.
inline diffusion::Delta word_of(const std::string& class_word, const std::string& meaning) {
  auto& bundle = embedded_base();
  const auto id = bundle.tokenizer.token_ids(meaning).at(0);
  const auto table = bundle.text_encoder->text_model->embeddings->token_embedding->weight;
  return {.method = "textual_inversion",
          .class_word = class_word,
          .placeholder = "<thing-1>",
          .base_fingerprint = bundle.fingerprint,
          .tensors = {{diffusion::kWordTensor, table[id].detach().clone().unsqueeze(0)}}};
}

}  // namespace conceptd::learner
