// Uniform draws from the passed engine. std::uniform_real_distribution differs between standard libraries; these do
// not.
#pragma once
#include "learner/world/world.h"

namespace conceptd::world {

inline double uniform(Random& random) { return static_cast<double>(random() >> 11) * 0x1.0p-53; }  // [0, 1)
inline float between(Random& random, double low, double high) {
  return static_cast<float>(low + (high - low) * uniform(random));
}
inline bool chance(Random& random, double probability) { return uniform(random) < probability; }
inline int pick(Random& random, int count) { return static_cast<int>(uniform(random) * count); }

// One draw without the rejection of held-out neighbourhoods: what held_out() itself is made of.
Instance draw_instance(Random& random, const Breadth& breadth, std::optional<int> shape);
Colour draw_colour(Random& random, int word);

}  // namespace conceptd::world
