// A worker for tests: the real process and protocol, a learner that pretends. The class word stays the same, the method
// says what happens:
//   fake    three steps, a preview, and a delta that names concept, job and seed
//   other   does what the concept's name asks for: kill-once, kill-always, refuse, fail, garbage, slow, silent
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/error.h"
#include "daemon/learn_worker.h"

namespace conceptd::daemon {
namespace {

using namespace std::chrono_literals;

// True the first time it is asked in this folder.
bool first_time(const std::string& what) {
  const std::filesystem::path mark = std::filesystem::path(std::getenv("CONCEPTD_FAKE_DIR")) / what;
  if (std::filesystem::exists(mark)) return false;
  std::ofstream(mark) << "here";
  return true;
}

WorkerResult pretend(const LearnOrder& order, const ReportStep& report) {
  const bool asked = order.method == "other";
  const auto is = [&](const char* name) { return asked && order.name == name; };
  const int steps = is("slow") ? 10'000 : 3;
  for (int step = 1; step <= steps; ++step) {
    const picture::Picture preview{.width = 2, .height = 1, .rgb = {1, 2, 3, 4, 5, 6}};
    report({.step = step, .steps = steps, .loss = 1. / step, .eta_s = .01 * (steps - step)},
           step == 2 ? &preview : nullptr);
    if (is("kill-always") || (is("kill-once") && first_time("kill-once"))) ::kill(::getpid(), SIGKILL);
    if (is("slow")) std::this_thread::sleep_for(20ms);
  }
  if (is("silent")) std::this_thread::sleep_for(1h);
  if (is("refuse")) throw Error(Code::invalid, "the setting is wrong", "steps");
  if (is("fail")) throw std::runtime_error("loss is not a number");
  if (is("garbage")) return {.delta = "nonsense", .settings = "{}", .metrics = "{}"};
  return {.delta = "delta:" + order.name + ":" + std::to_string(order.seed) + ":" + std::to_string(order.photos.size()),
          .settings = order.settings,
          .metrics = "{\"loss_last\": 0.25}"};
}

}  // namespace
}  // namespace conceptd::daemon

int main() {
  using namespace conceptd::daemon;
  settle_worker_process(kWorkerFd);
  return run_learn_worker(FrameChannel(kWorkerFd), pretend);
}
