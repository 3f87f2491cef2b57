// The child's side of decoding: takes the limits, then photos, and says of each what it is or why it is none.
#pragma once
#include <functional>
#include <string_view>

#include "core/picture/photo_facts.h"
#include "daemon/frames.h"

namespace conceptd::daemon {

using Examine = std::function<picture::PhotoFacts(std::string_view bytes, const picture::Limits& limits)>;

// The exit status: 0 when the daemon had no more photos.
int run_decode_worker(FrameChannel channel, const Examine& examine = picture::facts_of);

}  // namespace conceptd::daemon
