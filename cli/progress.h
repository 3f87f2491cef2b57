// How far long work is: a line that is drawn over itself on a terminal, and one now and then elsewhere.
#pragma once
#include <chrono>
#include <string>

#include "cli/command.h"

namespace conceptd::cli {

std::string progress_bar(double done);  // 0..1: "[######..................]"

class ProgressLine {
 public:
  explicit ProgressLine(const Context& context) : context_(context) {}
  ~ProgressLine();  // takes it from the terminal
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  // At once: elsewhere than on a terminal it is not held back for having said something a moment ago.
  void say(const std::string& line, bool at_once = false);

 private:
  const Context& context_;
  std::string last_;
  std::chrono::steady_clock::time_point said_{};
  bool drawn_ = false;
};

}  // namespace conceptd::cli
