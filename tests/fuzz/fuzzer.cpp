// One target under libFuzzer: built for each with its name as CONCEPTD_FUZZ_TARGET.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto found = std::find_if(conceptd::fuzz::targets().begin(), conceptd::fuzz::targets().end(),
                                         [](const auto& target) { return target.name == CONCEPTD_FUZZ_TARGET; });
  found->feed({reinterpret_cast<const char*>(data), size});
  return 0;
}
