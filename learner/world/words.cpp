// The words of the world. Their order is part of the held-out seeds: append, never insert.
#include <algorithm>
#include <set>
#include <sstream>

#include "learner/world/shapes.h"
#include "learner/world/world.h"

namespace conceptd::world {
namespace {

constexpr int kTrained = 33;
constexpr std::array<std::string_view, kShapes> kShapeWords{
    "apple",  "backpack", "ball", "bell",   "bird",   "boat",  "book",     "boot",   "bottle", "butterfly",
    "cactus", "car",      "cat",  "clock",  "crown",  "duck",  "fish",     "flower", "goblet", "hat",
    "house",  "kettle",   "key",  "kite",   "lamp",   "mug",   "mushroom", "robot",  "rocket", "shirt",
    "tree",   "umbrella", "vase", "anchor", "guitar", "snail", "windmill"};
constexpr std::array<std::string_view, 8> kColourWords{"red",  "orange", "yellow", "green",
                                                       "teal", "blue",   "purple", "pink"};
constexpr std::array<std::string_view, 4> kPatternWords{"plain", "striped", "dotted", "checked"};
constexpr std::array<std::string_view, 4> kBadgeWords{"none", "star", "heart", "ring"};
constexpr std::array<std::string_view, 10> kBackgroundWords{"grass", "snow", "beach",  "desert", "table",
                                                            "night", "sky",  "sunset", "sea",    "moon"};
constexpr std::array<std::string_view, 10> kBackgroundPhrases{
    "on the grass", "in the snow", "on the beach", "in the desert", "on a table",
    "at night",     "in the sky",  "at sunset",    "in the sea",    "on the moon"};

}  // namespace

std::span<const std::string_view> shape_words() { return kShapeWords; }
int trained_shapes() { return kTrained; }
std::span<const std::string_view> colour_words() { return kColourWords; }
std::span<const std::string_view> pattern_words() { return kPatternWords; }
std::span<const std::string_view> badge_words() { return kBadgeWords; }
std::span<const std::string_view> background_words() { return kBackgroundWords; }
std::span<const std::string_view> background_phrases() { return kBackgroundPhrases; }

std::vector<std::string> vocabulary() {
  std::set<std::string> words{"a", "photo", "of", "and", "with", std::string(kAnyShape)};
  words.insert(kShapeWords.begin(), kShapeWords.begin() + kTrained);
  words.insert(kColourWords.begin(), kColourWords.end());
  words.insert(kPatternWords.begin(), kPatternWords.end());
  words.insert(kBadgeWords.begin() + 1, kBadgeWords.end());
  for (const std::string_view phrase : kBackgroundPhrases) {
    std::istringstream in{std::string(phrase)};
    for (std::string word; in >> word;) words.insert(word);
  }
  return {words.begin(), words.end()};
}

}  // namespace conceptd::world
