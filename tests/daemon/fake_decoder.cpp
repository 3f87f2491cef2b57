// A decoder for tests: the real process, confinement and protocol, around codecs that do what a photo asks for. A PNG
// with the text "do" asks for: crash, spin, eat, open, connect, fork, garbage, lie, leave. Any other is decoded.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "core/error.h"
#include "daemon/confine.h"
#include "daemon/decode_worker.h"

namespace conceptd::daemon {
namespace {

std::string what_it_asks_for(std::string_view photo) {
  if (picture::sniff(photo) == picture::Format::png)
    for (const auto& [key, text] : picture::read_png_texts(photo))
      if (key == "do") return text;
  return {};
}

// A descriptor or a process that could be had is a hole: the photo is taken, and the test sees it.
void try_to_have(int number) {
  if (number < 0) throw Error(Code::invalid, "the kernel said no");
}

picture::PhotoFacts pretend(std::string_view photo, const picture::Limits& limits) {
  const std::string what = what_it_asks_for(photo);
  if (what == "crash") ::signal(SIGSEGV, SIG_DFL), ::raise(SIGSEGV);  // a sanitizer would have caught it
  if (what == "leave") std::_Exit(3);
  if (what == "spin")
    for (std::atomic<unsigned> i = 0;; ++i) {
    }
  if (what == "eat") std::memset(::operator new (std::size_t{2} << 30), 1, std::size_t{2} << 30);
  if (what == "open") try_to_have(::open("/etc/passwd", O_RDONLY));
  if (what == "connect") try_to_have(::socket(AF_UNIX, SOCK_STREAM, 0));
  if (what == "fork") try_to_have(::fork());
  if (what == "garbage") [[maybe_unused]]
    const ssize_t ignored = ::write(kWorkerFd, "this is no frame", 16);
  picture::PhotoFacts facts = picture::facts_of(photo, limits);
  if (what == "lie") facts.info.width = 1'000'000;
  return facts;
}

}  // namespace
}  // namespace conceptd::daemon

int main(int count, char** arguments) {
  using namespace conceptd::daemon;
  confine(kWorkerFd, {.cpu_s = count > 1 ? std::atoi(arguments[1]) : 60});
  return run_decode_worker(FrameChannel(kWorkerFd), pretend);
}
