#include "learner/pretrain/stages.h"

namespace conceptd::pretrain {

world::Random task_random(std::uint64_t seed, int64_t step, int64_t task) {
  const auto s = static_cast<std::uint64_t>(step), t = static_cast<std::uint64_t>(task);
  std::seed_seq sequence{seed & 0xffffffff, seed >> 32, s & 0xffffffff, s >> 32, t};
  return world::Random(sequence);
}

}  // namespace conceptd::pretrain
