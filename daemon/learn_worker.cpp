#include "daemon/learn_worker.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>

#include "core/error.h"
#include "core/log.h"
#include "daemon/confine.h"

namespace conceptd::daemon {
namespace {

using namespace std::chrono_literals;

// What the daemon has said since the last step. While it says "pause", nothing is done.
void obey(FrameChannel& channel) {
  std::string bytes;
  bool paused = false;
  do {
    const Received received = channel.receive(bytes, paused ? 1000ms : 0ms);
    if (received == Received::closed) throw Error(Code::cancelled, "the daemon is gone");
    if (received == Received::timeout) continue;
    switch (std::get<Control>(unpack_to_worker(bytes))) {
      case Control::pause:
        paused = true;
        break;
      case Control::resume:
        paused = false;
        break;
      case Control::cancel:
        throw Error(Code::cancelled, "cancelled");
    }
  } while (paused);
}

FromWorker failure(Code code, const std::string& message, const std::string& field = {}, bool hopeless = false) {
  return WorkerFailure{.code = std::string(to_string(code)), .message = message, .field = field, .hopeless = hopeless};
}

// Of what it writes to itself; the mapped weights do not count. Beyond it an allocation fails, and with it the job.
void limit_memory(std::int64_t bytes) {
  if (bytes > 0) lower_limit(RLIMIT_DATA, static_cast<rlim_t>(bytes), "memory");
}

}  // namespace

void require_base(const LearnOrder& order, const std::string& fingerprint) {
  if (fingerprint != order.base_fingerprint)
    throw Error(Code::conflict, "the base model in " + order.base_folder +
                                    " has changed since the daemon started; start the daemon again");
}

void settle_worker_process(int fd) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::close_range(static_cast<unsigned>(fd) + 1, ~0u, 0);
  if (::nice(10) < 0) spdlog::debug("the priority could not be lowered");
  constexpr int kWhoProcess = 1, kBestEffortLowest = 2 << 13 | 7;
  ::syscall(SYS_ioprio_set, kWhoProcess, 0, kBestEffortLowest);
  std::ofstream("/proc/self/oom_score_adj") << 500;
}

int run_learn_worker(FrameChannel channel, const Learn& learn) {
  try {
    std::string bytes;
    if (channel.receive(bytes, 60s) != Received::message) return 1;
    const auto order = std::get<LearnOrder>(unpack_to_worker(bytes));
    const WorkerVoice voice{
        .step =
            [&](const WorkerProgress& progress, const picture::Picture* preview) {
              channel.send(pack(FromWorker(progress)));
              if (preview) channel.send(pack(FromWorker(WorkerPreview{picture::encode_png(*preview)})));
              obey(channel);
            },
        .checkpoint = [&](std::string kept) { channel.send(pack(FromWorker(WorkerCheckpoint{std::move(kept)}))); }};
    FromWorker last;
    try {
      limit_memory(order.memory_bytes_max);
      last = learn(order, voice);
    } catch (const Hopeless& error) {
      last = failure(error.code(), error.what(), error.field(), true);
    } catch (const Error& error) {
      last = failure(error.code(), error.what(), error.field());
    } catch (const std::bad_alloc&) {
      last = failure(Code::exhausted, "learning ran out of memory" +
                                          std::string(order.memory_bytes_max > 0
                                                          ? "; learn.memory_mb in the daemon's configuration bounds it"
                                                          : ""));
    } catch (const std::exception& error) {
      last = failure(Code::internal, error.what());
    }
    channel.send(pack(last));
    return 0;
  } catch (const std::exception& error) {
    spdlog::error("the daemon could not be told: {}", error.what());
    return 1;
  }
}

}  // namespace conceptd::daemon
