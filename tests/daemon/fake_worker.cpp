// A worker for tests: the real process and protocol, a learner that pretends. The class word stays the same, the method
// says what happens:
//   fake    three steps, a preview, and a delta that names concept, job and seed
//   other   does what the concept's name asks for: kill-once, kill-always, refuse, fail, garbage, slow, silent,
//           step-and-die (one step further each time, with a checkpoint), diverge, greedy, steady, poor (refused by the
//           gate)
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "core/digest.h"
#include "core/error.h"
#include "daemon/api/wire.h"
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

// What lies where the base would: the file "base" of the folder, and, without one, what the fake model has.
std::string fingerprint_of_base() {
  std::ifstream in(std::filesystem::path(std::getenv("CONCEPTD_FAKE_DIR")) / "base");
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  return Digest::of(bytes.empty() ? "fake base" : bytes).hex();
}

WorkerResult pretend(const LearnOrder& order, const WorkerVoice& voice) {
  require_base(order, fingerprint_of_base());
  const bool asked = order.method == "other";
  const auto is = [&](const char* name) { return asked && order.name == name; };
  const int steps = is("slow") ? 10'000 : is("steady") ? 40 : is("step-and-die") ? 6 : 3;
  const int done = order.checkpoint.empty() ? 0 : std::stoi(order.checkpoint);
  if (is("greedy")) std::vector<char>(std::size_t{1} << 30, 'x');
  if (is("diverge")) throw Hopeless(Code::internal, "the loss is not a number at step 1");
  for (int step = done + 1; step <= steps; ++step) {
    const picture::Picture preview{.width = 2, .height = 1, .rgb = {1, 2, 3, 4, 5, 6}};
    voice.step({.step = step, .steps = steps, .loss = 1. / step, .eta_s = .01 * (steps - step)},
               step == 2 ? &preview : nullptr);
    if (is("kill-always") || (is("kill-once") && first_time("kill-once"))) ::kill(::getpid(), SIGKILL);
    if (is("step-and-die")) {
      voice.checkpoint(std::to_string(step));
      std::this_thread::sleep_for(50ms);  // it would be lost with the process else
      if (step < steps) ::kill(::getpid(), SIGKILL);
    }
    if (is("slow") || is("steady")) std::this_thread::sleep_for(20ms);
  }
  if (is("silent")) std::this_thread::sleep_for(1h);
  if (is("refuse")) throw Error(Code::invalid, "the setting is wrong", "steps");
  if (is("fail")) throw std::runtime_error("loss is not a number");
  if (is("garbage")) return {.delta = "nonsense", .settings = "{}", .metrics = "{}"};
  const bool poor = is("poor") && !order.published.starts_with("delta:");
  return {.delta = "delta:" + order.name + ":" + std::to_string(order.seed) + ":" + std::to_string(order.photos.size()),
          .settings = order.settings,
          .metrics = "{\"loss_last\": 0.25, \"began_after\": " + std::to_string(done) +
                     ", \"light\": " + std::to_string(order.light_gate) + "}",
          .accepted = !poor,
          .verdict_reason = poor                       ? "likeness to its photos is 0.100"
                            : order.published.empty()  ? "not judged"
                            : order.published_is_draft ? "beside a draft"
                                                       : "beside " + order.published};
}

bool is_there(const std::string& what) {
  return std::filesystem::exists(std::filesystem::path(std::getenv("CONCEPTD_FAKE_DIR")) / what);
}

// "Draws" the delta. The file forget-NAME makes it draw something else, die-NAME dies once, no-gate has no gate.
WorkerProbe pretend_to_draw(const ProbeOrder& order, const WorkerVoice& voice) {
  require_base(order, fingerprint_of_base());
  if (is_there("no-gate")) throw Error(Code::not_found, "the base asks nothing: it has no gate.json", "gate");
  voice.step({.step = 1, .steps = 1, .message = "drawing"}, nullptr);
  if (is_there("die-" + order.name) && first_time("died-" + order.name)) ::kill(::getpid(), SIGKILL);
  const bool other = is_there("forget-" + order.name);
  return {.pictures = Digest::of(order.delta + (other ? " and more" : "")).hex(),
          .count = 8,
          .conditions = "fake",
          .identity = order.photos.empty() ? std::nan("")
                      : other              ? .25
                                           : .5,
          .fidelity = .625};
}

// The file refuse-all has its gate refuse, slow-consolidate makes it take its time.
WorkerResult pretend_to_consolidate(const ConsolidateOrder& order, const WorkerVoice& voice) {
  require_base(order, fingerprint_of_base());
  for (int step = 0; step < (is_there("slow-consolidate") ? 3000 : 1); ++step) {
    voice.step({.step = 1, .steps = 1}, nullptr);
    if (step > 0) std::this_thread::sleep_for(10ms);
  }
  std::string all = "delta:of all:";  // as FakeModel reads it
  for (const std::string& name : order.names) all += (name == order.names.front() ? "" : ",") + name;
  for (const std::string& delta : order.deltas) all += "|" + delta;
  return {.delta = all,
          .settings = "{}",
          .metrics = "{\"drift\": 0}",
          .accepted = !is_there("refuse-all"),
          .verdict_reason = is_there("refuse-all") ? order.names.front() + " lost too much" : "all hold"};
}

// The file die-NAME kills the worker once, slow-NAME makes it take its time.
WorkerEvaluation pretend_to_evaluate(const EvaluateOrder& order, const WorkerVoice& voice) {
  require_base(order, fingerprint_of_base());
  for (int step = 0; step < (is_there("slow-" + order.name) ? 3000 : 2); ++step) {
    voice.step({.step = 1, .steps = 2, .eta_s = 1}, nullptr);
    if (is_there("die-" + order.name) && first_time("died-" + order.name)) ::kill(::getpid(), SIGKILL);
    std::this_thread::sleep_for(10ms);
  }
  api::EvaluationMeasures measures{.prompts = order.prompts};
  measures.ways.push_back({.way = "concept", .likeness = .5, .fit = .6, .diversity = .1});
  if (!order.words.empty()) measures.ways.push_back({.way = "words", .fit = .625});
  const picture::Picture sheet{.width = 1, .height = 1, .rgb = {1, 2, 3}};
  return {.measures = api::encode(measures).dump(), .sheet_png = picture::encode_png(sheet)};
}

}  // namespace
}  // namespace conceptd::daemon

int main() {
  using namespace conceptd::daemon;
  settle_worker_process(kWorkerFd);
  return run_learn_worker(FrameChannel(kWorkerFd), {.learn = pretend,
                                                    .probe = pretend_to_draw,
                                                    .consolidate = pretend_to_consolidate,
                                                    .evaluate = pretend_to_evaluate});
}
