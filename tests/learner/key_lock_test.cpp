// Goal: a globally locked concept looks where its class word looks, in the whole prompt, and shows its own thing there.
// Method: a made-up concept on the real base; what every cross-attention compares is recorded on the way.
// Source: Perfusion, A2.2 and T6 of A10.
#include <gtest/gtest.h>

#include "diffusion/delta.h"
#include "diffusion/edits/borrowed_maps.h"
#include "diffusion/prompt.h"
#include "diffusion/text_to_image.h"
#include "embedded_base.h"

namespace conceptd::diffusion {
namespace {
using learner::embedded_base;

class Seen final : public Edited {
 public:
  using Edited::Edited;
  void route(const Site& site, Attend& attend) override {
    if (is_cross_attention(site)) keys.push_back(attend.key), values.push_back(attend.value);
  }
  std::vector<Tensor> keys, values;
};

bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
           return x.sizes() == y.sizes() && torch::equal(x, y);
         });
}

class KeyLocks : public testing::Test {
 protected:
  KeyLocks() {
    torch::manual_seed(4);
    const auto width = base.text_encoder->config.hidden_size;
    const auto delta_base = DeltaBase::of(base, nullptr);
    const auto word = prepare_prompt(base, "a mug").context[2];
    RankOne edit{.input = word, .key = word / word.dot(word), .output = {}};
    for (const auto* sites : {&delta_base.key_sites, &delta_base.value_sites}) {
      for (const auto& [site, out] : *sites) {
        edit.output = torch::randn({out});
        concept_->sites[site].rank_one.push_back(edit);
      }
    }
    concept_->tokens.push_back({"<thing>", torch::randn({1, width}) * .05, "mug"});
  }
  Seen seen(const std::vector<PreparedPrompt>& prompts) {
    torch::NoGradGuard no_grad;
    torch::manual_seed(1);
    const auto rows = static_cast<int64_t>(prompts.size());
    Edited::Rows edits;
    std::vector<Tensor> contexts;
    for (const auto& prompt : prompts) edits.push_back(prompt.edits), contexts.push_back(prompt.context);
    Seen adapt(edits);
    const auto latents = torch::randn({1, base.unet->config.in_channels, 8, 8}).expand({rows, -1, -1, -1});
    base.unet(latents, torch::tensor(500), torch::stack(contexts), adapt);
    return adapt;
  }
  PreparedPrompt thing(KeyLock lock) { return prepare_prompt(base, "a <thing> on the beach", concept_, lock); }

  ModelBundle& base = embedded_base();
  const std::shared_ptr<EditSet> concept_ = std::make_shared<EditSet>();
};

TEST_F(KeyLocks, GlobalKeysAreTheBasesOfTheClassWordsPrompt) {  // T6
  const auto words = seen({prepare_prompt(base, "a mug on the beach")});
  const auto global = seen({thing(KeyLock::global)}), local = seen({thing(KeyLock::local)});
  EXPECT_TRUE(same(global.keys, words.keys));
  EXPECT_FALSE(same(local.keys, words.keys));
  EXPECT_TRUE(same(global.values, local.values)) << "values are of the concept's own prompt, edited";
  EXPECT_FALSE(same(global.values, words.values));
}

TEST_F(KeyLocks, EditedGlobalKeysAreTheEditedLayersOfThatPrompt) {
  auto as_words = std::make_shared<EditSet>(*concept_);
  as_words->tokens[0].rows = Tensor();
  const auto words = seen({prepare_prompt(base, "a <thing> on the beach", as_words)});
  EXPECT_TRUE(same(seen({thing(KeyLock::global_edited)}).keys, words.keys));
}

TEST_F(KeyLocks, ConceptsOfOtherMethodsKeepTheirKeys) {
  auto both = std::make_shared<EditSet>(*concept_), words = std::make_shared<EditSet>();
  for (const auto& [site, out] : DeltaBase::of(base, nullptr).key_sites) {
    const LowRank edit{.down = {}, .up = torch::randn({out, base.text_encoder->config.hidden_size}) * .1};
    both->sites[site].low_rank.push_back(edit), words->sites[site].low_rank.push_back(edit);
  }
  const auto locked = seen({prepare_prompt(base, "a <thing> on the beach", both, KeyLock::global)});
  EXPECT_TRUE(same(locked.keys, seen({prepare_prompt(base, "a mug on the beach", words)}).keys));
  EXPECT_FALSE(same(locked.keys, seen({thing(KeyLock::global)}).keys));
}

TEST_F(KeyLocks, OtherRowsAndOtherPromptsKnowNothingOfIt) {
  const auto plain = prepare_prompt(base, "a bowl at night"), locked = thing(KeyLock::global);
  const auto alone = seen({plain, plain, plain}), beside = seen({plain, locked, plain});
  for (std::size_t k = 0; k < alone.keys.size(); ++k) {
    for (const int64_t row : {0, 2}) EXPECT_TRUE(torch::equal(alone.keys[k][row], beside.keys[k][row]));
  }
  EXPECT_FALSE(for_another_prompt({locked.edits})[0]->key_context.defined());
  EXPECT_TRUE(of_frozen_stream({locked.edits})[0]->key_context.defined());
  EXPECT_TRUE(locked.edits->key_context.defined());
  EXPECT_FALSE(concept_->key_context.defined()) << "the concept itself is as it was";
}

TEST_F(KeyLocks, WithoutAConceptThatHasAKeyAllThreeAreOne) {
  auto word_alone = std::make_shared<EditSet>();
  word_alone->tokens.push_back({"<thing>", concept_->tokens[0].rows});
  const auto prompt = prepare_prompt(base, "a <thing> on the beach", word_alone, KeyLock::global);
  EXPECT_FALSE(prompt.edits->key_context.defined());
}

TEST_F(KeyLocks, APictureIsAnotherOneUnderTheGlobalLock) {
  const auto picture = [&](KeyLock lock) {
    const auto prompt = thing(lock);
    PictureRow row{.context = prompt.context, .edits = prompt.edits, .seed = 3, .noise = {}};
    row.negative_context = prepare_prompt(base, "").context;
    Steering none;
    return text_to_image(base, {.rows = {row}, .sampler = "ddim", .steps = 2}, none);
  };
  const auto local = picture(KeyLock::local);
  EXPECT_FALSE(torch::equal(local, picture(KeyLock::global)));
  EXPECT_TRUE(torch::equal(local, picture(KeyLock::local)));
}

}  // namespace
}  // namespace conceptd::diffusion
