#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "cli/command.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_DFL);  // `conceptctl list | head` ends quietly
  const char* kind = std::getenv("TERM");
  const bool terminal = ::isatty(STDERR_FILENO) == 1 && kind && std::string_view(kind) != "dumb";
  const bool person = terminal && ::isatty(STDIN_FILENO) == 1;
  return conceptd::cli::run_conceptctl({argv + 1, argv + argc}, std::cout, std::cerr, terminal,
                                       person ? &std::cin : nullptr);
}
