#include "learner/pretrain/caption_reading.h"

#include <gtest/gtest.h>

#include "learner/world/bpe.h"
#include "learner/world/world.h"

namespace conceptd::pretrain {
namespace {

int64_t at(std::span<const std::string_view> words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) - words.begin() + 1;
}

TEST(ReadCaption, BindsAttributesToTheirThings) {
  const auto said = read_caption("a photo of a striped blue and orange mug with a star and a red hat on the beach");
  EXPECT_EQ(said.at_end[0][kShape], at(world::shape_words(), "mug"));
  EXPECT_EQ(said.at_end[0][kFirst], at(world::colour_words(), "blue"));
  EXPECT_EQ(said.at_end[0][kSecond], at(world::colour_words(), "orange"));
  EXPECT_EQ(said.at_end[0][kPattern], at(world::pattern_words(), "striped"));
  EXPECT_EQ(said.at_end[0][kBadge], at(world::badge_words(), "star"));
  EXPECT_EQ(said.at_end[1][kShape], at(world::shape_words(), "hat"));
  EXPECT_EQ(said.at_end[1][kFirst], at(world::colour_words(), "red"));
  EXPECT_EQ(said.at_end[1][kPattern], 0);
  EXPECT_EQ(said.background, at(world::background_words(), "beach"));
}

TEST(ReadCaption, AsksNothingBeforeTheNoun) {
  const auto said = read_caption("a blue mug");
  EXPECT_EQ(said.at_token[2][kFirst], -100);  // at "blue"
  EXPECT_EQ(said.at_token[3][kFirst], at(world::colour_words(), "blue"));
}

TEST(CaptionCodec, KnowsEveryWordOfTheWorld) {
  const CaptionCodec codec(world::make_bpe(world::tokenizer_words()).vocab_json);
  std::mt19937_64 random(4);
  for (int k = 0; k < 500; ++k) {
    const auto caption = world::caption(world::sample_scene(random, {.two_objects = .5}), random);
    EXPECT_NO_THROW(codec.encode({caption})) << caption;
  }
  EXPECT_THROW(codec.encode({"a samovar"}), std::exception);
}

}  // namespace
}  // namespace conceptd::pretrain
