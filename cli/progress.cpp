#include "cli/progress.h"

#include <algorithm>
#include <ostream>

namespace conceptd::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kQuietLine = 5s;  // between two lines of a log

}  // namespace

std::string progress_bar(double done) {
  constexpr int kWidth = 24;
  const auto full = static_cast<std::size_t>(std::clamp(static_cast<int>(kWidth * done), 0, kWidth));
  return "[" + std::string(full, '#') + std::string(kWidth - full, '.') + "]";
}

ProgressLine::~ProgressLine() {
  if (drawn_) context_.err << "\r\x1b[K" << std::flush;
}

void ProgressLine::say(const std::string& line, bool at_once) {
  if (line == last_) return;
  if (context_.terminal) {
    context_.err << "\r" << line << "\x1b[K" << std::flush;
    drawn_ = true;
  } else {
    const auto now = std::chrono::steady_clock::now();
    if (!at_once && now - said_ < kQuietLine) return;
    said_ = now;
    context_.err << line << std::endl;
  }
  last_ = line;
}

}  // namespace conceptd::cli
