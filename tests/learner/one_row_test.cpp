#include "learner/pretrain/one_row.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "learner/world/world.h"

namespace conceptd::pretrain {
namespace {

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}
bool holds(std::span<const std::string_view> words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

TEST(BareCaption, KeepsTheThingAndThePlace) {
  const auto bare = bare_caption("a photo of a striped blue and orange mug with a star on the beach");
  EXPECT_EQ(bare.text, "a photo of a mug on the beach");
  ASSERT_EQ(bare.phrases.size(), 1u);
  EXPECT_EQ(bare.phrases[0].noun, 5);
  EXPECT_EQ(bare.phrases[0].end, 12);  // "star"
}

TEST(BareCaption, KeepsTheAndBetweenThings) {
  const auto bare = bare_caption("a red mug and a plain teal boot in the snow");
  EXPECT_EQ(bare.text, "a mug and a boot in the snow");
  ASSERT_EQ(bare.phrases.size(), 2u);
  EXPECT_EQ(bare.phrases[0].noun, 2);
  EXPECT_EQ(bare.phrases[0].end, 3);
  EXPECT_EQ(bare.phrases[1].noun, 5);
  EXPECT_EQ(bare.phrases[1].end, 8);
  EXPECT_EQ(bare_caption("").text, "");
}

TEST(BareCaption, OfEveryCaptionOfTheWorld) {
  world::Random random(11);
  for (int k = 0; k < 2000; ++k) {
    const auto scene = world::sample_scene(random, {.two_objects = .5});
    const auto caption = world::caption(scene, random), bare = bare_caption(caption).text;
    const auto full = words_of(caption), left = words_of(bare);
    ASSERT_EQ(bare_caption(caption).phrases.size(), scene.objects.size()) << caption;
    for (const auto& word : left) {
      EXPECT_FALSE(holds(world::colour_words(), word) || holds(world::pattern_words(), word) || word == "with") << bare;
    }
    for (const auto& phrase : bare_caption(caption).phrases) {
      const auto noun = left.at(static_cast<std::size_t>(phrase.noun - 1)),
                 end = full.at(static_cast<std::size_t>(phrase.end - 1));
      EXPECT_TRUE(noun == world::kAnyShape || holds(world::shape_words(), noun)) << caption;
      EXPECT_TRUE(end == noun || holds(world::badge_words().subspan(1), end)) << caption;
    }
  }
}

TEST(OneRow, TakesOnlyThePhrasesEndFromTheFullCaption) {
  const auto encode = [](const std::vector<std::string>& texts) {  // row k of a text of n words: (n, k)
    auto states = torch::zeros({static_cast<int64_t>(texts.size()), 8, 2});
    for (std::size_t t = 0; t < texts.size(); ++t) {
      states[static_cast<int64_t>(t)].select(1, 0).fill_(static_cast<double>(words_of(texts[t]).size()));
      states[static_cast<int64_t>(t)].select(1, 1).copy_(torch::arange(8));
    }
    return states;
  };
  const std::string full = "a red mug in the snow", bare = "a mug in the snow";
  std::vector<std::string> captions{full, full, full};
  const auto shown =
      encode_phrases(captions, {Phrases::in_one_row, Phrases::spread, Phrases::values_in_one_row}, encode);
  EXPECT_EQ(captions, (std::vector<std::string>{bare, full, bare}));
  auto expected = encode(captions);
  expected[0][2] = torch::tensor({6.f, 3.f});
  auto keys = expected.clone();  // the third's are the bare noun's
  expected[2][2] = expected[0][2];
  EXPECT_TRUE(torch::equal(shown.states, expected));
  EXPECT_TRUE(torch::equal(shown.keys, keys));
}

}  // namespace
}  // namespace conceptd::pretrain
