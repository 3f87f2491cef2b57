// Captions: "[a photo of ]a [pattern] [colour[ and colour]] shape [with a badge][ and a …][ background phrase]".
#include "learner/world/draws.h"
#include "learner/world/world.h"

namespace conceptd::world {
namespace {

constexpr double kNamePlain = .3;  // "plain" is named less often than a pattern that is there to be seen

std::string_view shape_word(int shape) {
  return shape < trained_shapes() ? shape_words()[static_cast<std::size_t>(shape)] : kAnyShape;
}

void append(std::string& text, std::string_view word) {
  if (!text.empty()) text += ' ';
  text += word;
}

// Which attributes of one object are said.
struct Said {
  bool pattern, first, second, badge, any_shape;
};

std::string phrase(const Instance& instance, const Said& said) {
  std::string text;
  if (said.pattern) append(text, pattern_words()[static_cast<std::size_t>(instance.pattern)]);
  if (said.first) append(text, colour_words()[static_cast<std::size_t>(instance.first.word)]);
  if (said.first && said.second && instance.second.word != instance.first.word) {
    append(text, "and");
    append(text, colour_words()[static_cast<std::size_t>(instance.second.word)]);
  }
  append(text, said.any_shape ? kAnyShape : shape_word(instance.shape));
  if (said.badge && instance.badge != 0) {
    append(text, "with a");
    append(text, badge_words()[static_cast<std::size_t>(instance.badge)]);
  }
  return text;
}

}  // namespace

std::string caption(const Scene& scene, Random& random, const Naming& naming) {
  std::string text;
  if (chance(random, naming.prefix)) text = "a photo of";
  bool later = false;
  for (const Placed& placed : scene.objects) {
    const Instance& instance = placed.instance;
    Said said{};  // every draw is made for every object, whether or not it is used
    said.pattern = chance(random, naming.pattern * (instance.pattern == 0 ? kNamePlain : 1));
    said.first = chance(random, naming.colour);
    said.second = chance(random, naming.second_colour);
    said.badge = chance(random, naming.badge);
    said.any_shape = chance(random, naming.any_shape);
    if (later) append(text, "and");
    append(text, "a");
    append(text, phrase(instance, said));
    later = true;
  }
  if (chance(random, naming.background)) append(text, background_phrases()[static_cast<std::size_t>(scene.background)]);
  return text;
}

std::string describe(const Instance& instance) {
  return phrase(instance, {.pattern = true, .first = true, .second = true, .badge = true, .any_shape = false});
}

}  // namespace conceptd::world
