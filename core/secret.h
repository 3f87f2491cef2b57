// Secrets: made of the system's randomness, compared without telling by the time it takes how much was right.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace conceptd {

// Error{internal} if the system has no randomness to give.
std::string random_bytes(std::size_t count);

// The time depends on the lengths alone.
bool equal_in_constant_time(std::string_view one, std::string_view other) noexcept;

}  // namespace conceptd
