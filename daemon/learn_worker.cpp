#include "daemon/learn_worker.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "daemon/confine.h"
#include "registry/job_queue.h"

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
  if (bytes > 0 && kConfinesMemory) lower_limit(RLIMIT_DATA, static_cast<rlim_t>(bytes), "memory");
}

// What comes of an order, if only why nothing does.
FromWorker answer(const ToWorker& order, const WorkerTasks& tasks, const WorkerVoice& voice) {
  const auto run = [&](const auto& task, const auto& asked) -> FromWorker {
    limit_memory(asked.memory_bytes_max);
    if (!task) throw Error(Code::not_found, "this worker has no such task");
    return task(asked, voice);
  };
  try {
    if (const auto* learn = std::get_if<LearnOrder>(&order)) return run(tasks.learn, *learn);
    if (const auto* probe = std::get_if<ProbeOrder>(&order)) return run(tasks.probe, *probe);
    if (const auto* evaluate = std::get_if<EvaluateOrder>(&order)) return run(tasks.evaluate, *evaluate);
    return run(tasks.consolidate, std::get<ConsolidateOrder>(order));
  } catch (const Hopeless& error) {
    return failure(error.code(), error.what(), error.field(), true);
  } catch (const Error& error) {
    return failure(error.code(), error.what(), error.field());
  } catch (const std::bad_alloc&) {
    const auto* learn = std::get_if<LearnOrder>(&order);
    return failure(Code::exhausted, "learning ran out of memory" +
                                        std::string(learn && learn->memory_bytes_max > 0
                                                        ? "; learn.memory_mb in the daemon's configuration bounds it"
                                                        : ""));
  } catch (const std::exception& error) {
    return failure(Code::internal, error.what());
  }
}

}  // namespace

void settle_worker_process(int fd) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::close_range(static_cast<unsigned>(fd) + 1, ~0u, 0);
  if (::nice(10) < 0) spdlog::debug("the priority could not be lowered");
  constexpr int kWhoProcess = 1, kBestEffortLowest = 2 << 13 | 7;
  ::syscall(SYS_ioprio_set, kWhoProcess, 0, kBestEffortLowest);
  std::ofstream("/proc/self/oom_score_adj") << 500;
}

int run_learn_worker(FrameChannel channel, const WorkerTasks& tasks) {
  try {
    const WorkerVoice voice{
        .step =
            [&](const WorkerProgress& progress, const picture::Picture* preview) {
              channel.send(pack(FromWorker(progress)));
              if (preview) channel.send(pack(FromWorker(WorkerPreview{picture::encode_png(*preview)})));
              obey(channel);
            },
        .checkpoint =
            [&, told = false](std::string kept) mutable {
              if (kept.size() <= registry::JobQueue::kCheckpointBytesMax)
                return channel.send(pack(FromWorker(WorkerCheckpoint{std::move(kept)})));
              if (!std::exchange(told, true))
                spdlog::warn("a checkpoint has {} MB, more than is kept: learning that is cut off begins again",
                             kept.size() >> 20);
            }};
    for (bool answered = false;;) {
      std::string bytes;
      const Received received = channel.receive(bytes, 60s);
      if (received == Received::timeout && answered) continue;
      if (received != Received::message) return answered ? 0 : 1;
      const ToWorker order = unpack_to_worker(bytes);
      if (std::holds_alternative<Control>(order)) continue;  // it crossed the last answer
      channel.send(pack(answer(order, tasks, voice)));
      answered = true;
      if (!std::holds_alternative<ProbeOrder>(order)) return 0;
    }
  } catch (const std::exception& error) {
    spdlog::error("the daemon could not be told: {}", error.what());
    return 1;
  }
}

}  // namespace conceptd::daemon
