// The procedural world: every word varies continuously, and the truth of every scene is known.
//
// An instance is one draw of all attributes (this mug: teal body, thin orange stripes, a white ring). A concept is an
// instance photographed several times. Held-out instances and held-out shapes never occur in training: the sampler
// rejects their neighbourhood. Pictures are 64x64 RGB, 8 bit, row-major (64, 64, 3). Nothing here depends on torch.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace conceptd::world {

inline constexpr int kSide = 64;            // pixels
using Picture = std::vector<std::uint8_t>;  // kSide * kSide * 3
using Mask = std::vector<std::uint8_t>;     // kSide * kSide, 0 or 255: where the object stands
using Random = std::mt19937_64;

std::span<const std::string_view> shape_words();         // trained shapes first, then held-out shapes
int trained_shapes();                                    // how many of shape_words() occur in training
std::span<const std::string_view> colour_words();        // eight hues
std::span<const std::string_view> pattern_words();       // [0] = "plain"
std::span<const std::string_view> badge_words();         // [0] = "none": not a word of captions
std::span<const std::string_view> background_words();    // "grass", "snow", …
std::span<const std::string_view> background_phrases();  // "on the grass", "in the snow", …
inline constexpr std::string_view kAnyShape =
    "thing";  // stands for the shape word in a few captions: the class word of held-out shapes

struct Colour {
  int word = 0;                // index in colour_words()
  std::array<float, 3> rgb{};  // 0..1
};

// All attributes of one thing. Two instances of one word differ in every field.
struct Instance {
  int shape = 0;                   // index in shape_words()
  Colour first, second;            // body; parts and pattern
  int pattern = 0;                 // index in pattern_words()
  float period = .3f;              // of the pattern, in units of the object's box
  int badge = 0;                   // index in badge_words()
  float badge_x = 0, badge_y = 0;  // offset from the body's centre, in units of the object's box
  std::array<float, 6> form{};     // proportions of the shape's parts, each -1..1
};

struct Placed {
  Instance instance;
  float x = 32, y = 33, size = 42;  // centre and box side, pixels
  float tilt_deg = 0;
};

struct Scene {
  int background = 0;
  std::array<float, 4> mood{};  // horizon height, brightness, tint, slope of the background: each -1..1
  std::vector<Placed> objects;  // one or two; two stand side by side, left first
};

// How much of the world a sampler shows; the curriculum widens it.
struct Breadth {
  double second_colour = 1;  // probability that parts have a colour of their own (else first == second)
  double pattern = .6;       // probability of a pattern other than plain
  double badge = .3;
  double two_objects = .15;
  bool operator==(const Breadth&) const = default;
};

Instance sample_instance(Random& random, const Breadth& breadth, std::optional<int> shape = {});
// Another thing of the same words: all is drawn again that words cannot say. May lie near a held-out instance.
Instance sample_sibling(const Instance& instance, Random& random);
Scene sample_scene(Random& random, const Breadth& breadth);  // never a held-out instance or shape
Scene photograph(const Instance& instance, Random& random,
                 std::optional<int> background = {});  // one object, near-centred

void render(const Scene& scene, std::span<std::uint8_t> rgb);
void render_at(const Scene& scene, int side, std::span<std::uint8_t> rgb);  // the same picture, side * side * 3
void render_mask(const Scene& scene, std::size_t object, std::span<std::uint8_t> mask);  // truth, full resolution
// Pattern and badge are still recognisable at 64 pixels: periods of at least 10 pixels (7 where two things share a
// picture), badges of at least 10.

// Captions name a random subset of the attributes. "a photo of a striped blue and orange mug with a star on the beach".
struct Naming {
  double colour = .7, second_colour = .4, pattern = .7, badge = .7, background = .93, prefix = .5, any_shape = .04;
};
std::string caption(const Scene& scene, Random& random, const Naming& naming = {});
std::string describe(const Instance& instance);  // the best description that words allow, without an article: "striped
                                                 // blue and orange mug with a star"
std::vector<std::string> vocabulary();           // every word that a caption can hold, sorted

struct HeldOut {
  std::string name;  // "held-01"
  Instance instance;
};
const std::vector<HeldOut>&
held_out();  // 40 draws of trained shapes, then 12 of held-out shapes; fixed for ever by a seed
bool near_held_out(const Instance& instance);  // same shape, pattern, badge and close in both colours

}  // namespace conceptd::world
