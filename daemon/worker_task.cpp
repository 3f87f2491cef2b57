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

std::optional<std::string> Hearing::next(bool pictures_wanted, bool must_wait) {
  if (turns_.update(pictures_wanted, must_wait)) {
    worker_.channel().send(pack(ToWorker(turns_.waiting() ? Control::pause : Control::resume)));
    heard_ = Monotonic::now();
  }
  if (!turns_.waiting() && Monotonic::now() - heard_ > std::chrono::seconds(stall_s_))
    throw Error(Code::unavailable, "the worker said nothing for " + std::to_string(stall_s_) + " s");
  std::string bytes;
  const Received received = worker_.channel().receive(bytes, kPoll);
  if (received == Received::timeout) return std::nullopt;
  if (received == Received::closed) throw Error(Code::unavailable, "the worker is gone: " + worker_.end(kPatience));
  heard_ = Monotonic::now();
  return bytes;
}

FromWorker ask_worker(WorkerProcess& worker, const ToWorker& order, const TaskSettings& settings) {
  worker.channel().send(pack(order));
  Hearing hearing(worker, settings.stall_s);
  for (;;) {
    if (settings.stopped && settings.stopped()) throw Error(Code::cancelled, "it was stopped");
    const auto bytes = hearing.next(settings.must_give_way && settings.must_give_way(), false);
    if (!bytes) continue;
    FromWorker said = unpack_from_worker(*bytes);
    if (const auto* failed = std::get_if<WorkerFailure>(&said)) rethrow(*failed);
    if (const auto* step = std::get_if<WorkerProgress>(&said)) {
      if (settings.progress) settings.progress(*step);
    } else if (!std::holds_alternative<WorkerPreview>(said) && !std::holds_alternative<WorkerCheckpoint>(said)) {
      return said;
    }
  }
}

}  // namespace conceptd::daemon
