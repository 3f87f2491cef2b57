// The doors by which bytes from outside come in, one function each: whatever the bytes are, it returns, having thrown
// nothing but the Error that the door promises. libFuzzer calls them with what it makes up (scripts/fuzz), the tests
// with what lies in corpus/, where every input that ever broke one stays.
#pragma once
#include <span>
#include <string_view>

namespace conceptd::fuzz {

struct Target {
  std::string_view name;  // and of its folder in corpus/
  void (*feed)(std::string_view bytes);
};

std::span<const Target> targets();

}  // namespace conceptd::fuzz
