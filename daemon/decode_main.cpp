// conceptd-decode: started by the daemon for the photos of one request. A program of its own, because it starts in
// milliseconds and has no code in it but the codecs.
#include <cstdio>
#include <exception>

#include "daemon/confine.h"
#include "daemon/decode_worker.h"

int main() {
  using namespace conceptd::daemon;
  try {
    confine(kWorkerFd);
    return run_decode_worker(FrameChannel(kWorkerFd));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "conceptd-decode, which the daemon starts by itself: %s\n", error.what());
    return 1;
  }
}
