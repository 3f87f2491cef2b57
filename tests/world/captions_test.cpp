// Captions: within the vocabulary, within the grammar, within the text encoder's 32 tokens, and true of the scene.
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <set>
#include <sstream>

#include "learner/world/world.h"

namespace conceptd::world {
namespace {

std::vector<std::string> split(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

std::string any_of(std::span<const std::string_view> words, std::size_t from = 0) {
  std::string text = "(";
  for (std::size_t i = from; i < words.size(); ++i) text += (i > from ? "|" : "") + std::string(words[i]);
  return text + ")";
}

TEST(Captions, FollowTheGrammar) {
  const std::string colour = any_of(colour_words());
  const std::string thing = "a (" + any_of(pattern_words()) + " )?(" + colour + "( and " + colour + ")? )?(thing|" +
                            any_of(shape_words().first(static_cast<std::size_t>(trained_shapes()))) + ")( with a " +
                            any_of(badge_words(), 1) + ")?";
  const std::regex grammar("(a photo of )?" + thing + "( and " + thing + ")?( " + any_of(background_phrases()) + ")?");
  const std::vector<std::string> words = vocabulary();
  ASSERT_TRUE(std::is_sorted(words.begin(), words.end()));
  Random random(21);
  std::set<std::string> seen;
  for (int i = 0; i < 4000; ++i) {
    const std::string text =
        caption(sample_scene(random, {.second_colour = 1, .pattern = .6, .badge = .5, .two_objects = .3}), random);
    ASSERT_TRUE(std::regex_match(text, grammar)) << text;
    for (const std::string& word : split(text)) {
      ASSERT_TRUE(std::binary_search(words.begin(), words.end(), word)) << word;
      seen.insert(word);
    }
  }
  EXPECT_EQ(seen.size(), words.size()) << "a word of the vocabulary never occurs";
}

TEST(Captions, TheLongestFitsTheTextEncoder) {
  Random random(22);
  std::size_t longest = 0;
  for (int i = 0; i < 2000; ++i) {
    const Scene scene = sample_scene(random, {.second_colour = 1, .pattern = 1, .badge = 1, .two_objects = 1});
    const std::string text = caption(
        scene, random,
        {.colour = 1, .second_colour = 1, .pattern = 1, .badge = 1, .background = 1, .prefix = 1, .any_shape = 0});
    longest = std::max(longest, split(text).size());
  }
  EXPECT_EQ(longest, 25u);  // with both ends 27 of 32
}

TEST(Captions, SayWhatTheSceneHolds) {
  Instance mug;
  mug.shape = 25;
  mug.first.word = 5;
  mug.second.word = 1;
  mug.pattern = 1;
  mug.badge = 1;
  EXPECT_EQ(describe(mug), "striped blue and orange mug with a star");
  Random random(23);
  Scene scene{.background = 2, .mood = {}, .objects = {{.instance = mug}}};
  const Naming everything{
      .colour = 1, .second_colour = 1, .pattern = 1, .badge = 1, .background = 1, .prefix = 1, .any_shape = 0};
  EXPECT_EQ(caption(scene, random, everything), "a photo of a striped blue and orange mug with a star on the beach");
  const Naming nothing{
      .colour = 0, .second_colour = 0, .pattern = 0, .badge = 0, .background = 0, .prefix = 0, .any_shape = 0};
  EXPECT_EQ(caption(scene, random, nothing), "a mug");
}

TEST(Captions, AHeldOutShapeIsAThing) {
  Instance strange;
  strange.shape = trained_shapes();
  EXPECT_EQ(describe(strange), "plain red thing");
}

}  // namespace
}  // namespace conceptd::world
