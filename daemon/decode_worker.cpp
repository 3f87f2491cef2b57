#include "daemon/decode_worker.h"

#include <cstdio>
#include <new>

#include "core/error.h"
#include "daemon/decode_messages.h"

namespace conceptd::daemon {
namespace {

// The daemon ends this process when it has waited long enough; this is for a daemon that is gone.
constexpr std::chrono::minutes kPatience{10};

DecodeAnswer answer_to(std::string_view photo, const picture::Limits& limits, const Examine& examine) {
  try {
    return examine(photo, limits);
  } catch (const Error& error) {
    return PhotoRefused{error.what()};
  } catch (const std::bad_alloc&) {
    return PhotoRefused{"decoding it takes more memory than a photo may"};
  }
}

}  // namespace

int run_decode_worker(FrameChannel channel, const Examine& examine) {
  try {
    std::string bytes;
    if (channel.receive(bytes, kPatience) != Received::message) return 0;
    const picture::Limits limits = unpack_limits(bytes);
    channel.send(bytes);
    while (channel.receive(bytes, kPatience) == Received::message)
      channel.send(pack(answer_to(bytes, limits, examine)));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "conceptd-decode: %s\n", error.what());
    return 1;
  }
}

}  // namespace conceptd::daemon
