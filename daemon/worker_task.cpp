#include "daemon/worker_task.h"

#include "core/error.h"
#include "daemon/learn_worker.h"

namespace conceptd::daemon {
namespace {

using namespace std::chrono_literals;
using Monotonic = std::chrono::steady_clock;

constexpr auto kPoll = 100ms, kPatience = 3000ms;

}  // namespace

bool Turns::update(bool pictures_wanted, bool must_wait) {
  const auto since = Monotonic::now() - turned_;
  const bool wait = must_wait || (pictures_wanted && (waiting_ ? since < kWaitsAtMost : since >= kThenWorks));
  if (wait == waiting_) return false;
  waiting_ = wait;
  turned_ = Monotonic::now();
  return true;
}

void rethrow(const WorkerFailure& failure) {
  const Code code = code_from_string(failure.code);
  if (failure.hopeless) throw Hopeless(code, failure.message, failure.field);
  throw Error(code, failure.message, failure.field);
}

FromWorker ask_worker(WorkerProcess& worker, const ToWorker& order, const TaskSettings& settings) {
  worker.channel().send(pack(order));
  Turns turns;
  auto heard = Monotonic::now();
  std::string bytes;
  for (;;) {
    if (settings.stopped && settings.stopped()) throw Error(Code::cancelled, "it was stopped");
    if (turns.update(settings.must_give_way && settings.must_give_way(), false)) {
      worker.channel().send(pack(ToWorker(turns.waiting() ? Control::pause : Control::resume)));
      heard = Monotonic::now();
    }
    if (!turns.waiting() && Monotonic::now() - heard > std::chrono::seconds(settings.stall_s))
      throw Error(Code::unavailable, "the worker said nothing for " + std::to_string(settings.stall_s) + " s");
    const Received received = worker.channel().receive(bytes, kPoll);
    if (received == Received::timeout) continue;
    if (received == Received::closed) throw Error(Code::unavailable, "the worker is gone: " + worker.end(kPatience));
    heard = Monotonic::now();
    FromWorker said = unpack_from_worker(bytes);
    if (const auto* failed = std::get_if<WorkerFailure>(&said)) rethrow(*failed);
    if (std::holds_alternative<WorkerResult>(said) || std::holds_alternative<WorkerProbe>(said)) return said;
    if (const auto* step = std::get_if<WorkerProgress>(&said); step && settings.progress) settings.progress(*step);
  }
}

}  // namespace conceptd::daemon
