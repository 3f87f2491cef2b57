#include "daemon/nights.h"

#include <algorithm>

#include "core/log.h"
#include "daemon/threads.h"

namespace conceptd::daemon {
namespace {

using registry::NightCause;
using registry::NightState;
using registry::StepState;
using Monotonic = std::chrono::steady_clock;

constexpr const char* kActor = "conceptd";
// Of a night that somebody asks for where there is no window.
constexpr std::chrono::hours kLength{12};

bool is_over(const registry::NightStep& step) {
  return step.state != StepState::waiting && step.state != StepState::running;
}

}  // namespace

const std::vector<std::string>& Nights::steps() {
  static const std::vector<std::string> kSteps{"learn", "consolidate", "publish", "measure", "gc", "verify", "backup"};
  return kSteps;
}

Nights::Nights(registry::Registry& registry, const Model& model, LiveStates& live, const Clock& clock,
               NightSettings settings)
    : registry_(registry), model_(model), live_(live), clock_(clock), settings_(std::move(settings)) {
  // Jobs may come before the thread looks.
  if (const auto night = registry_.nights().running(); night && !night->published) collecting_ = night->id;
}

void Nights::start() {
  thread_ = start_thread("nights", [this] { run(); });
}

void Nights::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Nights::may_learn() const {
  if (!settings_.learning_waits) return true;
  {
    const std::lock_guard lock(mutex_);
    if (learning_) return true;
  }
  return settings_.window && settings_.window->at(clock_.now());
}

std::optional<std::int64_t> Nights::collecting() const {
  const std::lock_guard lock(mutex_);
  return collecting_;
}

Nights::Held Nights::hold(const std::optional<std::string>& until, const std::string& actor) {
  const TimePoint now = clock_.now();
  const TimeZone zone = settings_.window ? settings_.window->zone() : TimeZone::load("");
  TimePoint end = now + kLength;
  if (until) {
    const auto time = parse_time_of_day(*until);
    if (!time) throw Error(Code::invalid, "'" + *until + "' is no time; write 06:00 or 23:30", "until");
    end = next_time_of_day(zone, *time, now);
  } else if (settings_.window) {
    const auto open = settings_.window->at(now);
    end = open ? open->end : now + settings_.window->length();
  }
  const std::string date = to_string(std::chrono::floor<std::chrono::days>(zone.local(now)));
  std::lock_guard lock(mutex_);  // against the thread's own
  if (auto running = registry_.nights().running()) return {.night = *std::move(running), .joined = true};
  Held held{.night = registry_.nights().begin(
                {.date = date, .cause = NightCause::asked, .actor = actor, .until = end, .steps = steps()})};
  collecting_ = held.night.id;
  woken_ = true;
  changed_.notify_all();
  return held;
}

void Nights::check_stopping() const {
  const std::lock_guard lock(mutex_);
  if (stopping_) throw Stopping{};
}

void Nights::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, settings_.poll, [&] { return stopping_ || woken_; });
  woken_ = false;
  if (stopping_) throw Stopping{};
}

void Nights::run() {
  for (;;) {
    try {
      if (auto night = registry_.nights().running()) {
        hold_to_its_end(*std::move(night));
      } else {
        if (!begin_what_is_due()) wait();
      }
    } catch (const Stopping&) {
      return;
    } catch (const std::exception& error) {  // the registry cannot be written; the night's rows say where to go on
      spdlog::error("the night: {}", error.what());
      try {
        wait();
      } catch (const Stopping&) {
        return;
      }
    }
  }
}

// The window that is open, or one that passed while nobody was there. A date is held once, however often the clocks
// show it, and not by the window if somebody asked for a night in it.
bool Nights::begin_what_is_due() {
  if (!settings_.window) return false;
  const TimePoint now = clock_.now();
  const auto window = settings_.window->last(now);
  if (!window) return false;
  const std::string date = to_string(window->date);
  if (date == settled_) return false;
  const bool open = now < window->end;
  const auto last_begun = registry_.nights().last_begun();
  if (registry_.nights().was_held(date) || (last_begun && *last_begun >= window->begin) ||
      (!open && (!settings_.catch_up || registry_.state(0)->created_at > window->begin))) {
    settled_ = date;
    return false;
  }
  const TimePoint until =
      open ? window->end : std::min(now + settings_.window->length(), settings_.window->next(now).begin);
  const std::lock_guard lock(mutex_);
  if (registry_.nights().running()) return true;  // somebody asked for one meanwhile
  collecting_ = registry_.nights()
                    .begin({.date = date,
                            .cause = open ? NightCause::window : NightCause::catch_up,
                            .actor = kActor,
                            .until = until,
                            .steps = steps()})
                    .id;
  settled_ = date;
  return true;
}

void Nights::hold_to_its_end(Night night) {
  spdlog::info("night {} ({}, {}) until {}", night.id, night.date, to_string(night.cause), to_iso8601(night.until));
  for (const Step& step : night.steps) {
    check_stopping();
    if (!daemon::is_over(step)) run_step(night, step);
  }
  finish(registry_.nights().get(night.id));
}

void Nights::run_step(const Night& night, Step step) {
  using Run = void (Nights::*)(const Night&, Step&);
  constexpr std::pair<const char*, Run> kRuns[] = {
      {"learn", &Nights::learn},     {"consolidate", &Nights::consolidate}, {"publish", &Nights::publish},
      {"measure", &Nights::measure}, {"gc", &Nights::collect_garbage},      {"verify", &Nights::verify},
      {"backup", &Nights::back_up}};
  const auto began = Monotonic::now();
  const double before = step.seconds;
  try {
    if (is_over(night) && step.name != "publish") {  // which ends the night's hold on what it has learnt
      step.state = step.state == StepState::running ? StepState::stopped : StepState::skipped;
      step.message = kTimeOver;
    } else {
      step.state = StepState::running;
      registry_.nights().set_step(night.id, step);
      step.message.clear();
      const auto known =
          std::find_if(std::begin(kRuns), std::end(kRuns), [&](const auto& r) { return step.name == r.first; });
      if (known == std::end(kRuns)) throw Error(Code::not_found, "this release has no such step");
      (this->*known->second)(night, step);
      if (step.state == StepState::running) step.state = StepState::done;
    }
  } catch (const std::exception& error) {
    check_stopping();
    const auto* known = dynamic_cast<const Error*>(&error);
    const bool cut_off = known && known->code() == Code::cancelled && is_over(night);
    step.state = cut_off ? StepState::stopped : StepState::failed;
    step.message = cut_off ? kTimeOver : error.what();
    if (!cut_off) spdlog::error("night {}: {}: {}", night.id, step.name, error.what());
  }
  step.seconds = before + std::chrono::duration<double>(Monotonic::now() - began).count();
  registry_.nights().set_step(night.id, step);
}

void Nights::finish(const Night& night) {
  if (!night.published)  // the step failed; its turn comes again with the next look
    registry_.publish_night(night.id, {}, kActor);
  std::string failed, cut;
  for (const Step& step : night.steps) {
    if (step.state == StepState::failed) failed += (failed.empty() ? "" : "; ") + step.name + ": " + step.message;
    if (step.state == StepState::stopped || (step.state == StepState::skipped && step.message == kTimeOver))
      cut += (cut.empty() ? "" : ", ") + step.name;
  }
  const NightState state = !failed.empty() ? NightState::failed : !cut.empty() ? NightState::stopped : NightState::done;
  const std::string reason = !failed.empty() ? failed : cut.empty() ? "" : "not to its end: " + cut;
  {
    const std::lock_guard lock(mutex_);
    collecting_.reset();
    learning_ = false;
  }
  registry_.nights().end(night.id, state, reason, kActor);
  if (state == NightState::failed)
    spdlog::error("night {} has failed: {}", night.id, reason);
  else
    spdlog::info("night {} is {}{}", night.id, to_string(state), reason.empty() ? "" : ": " + reason);
}

void Nights::say(const Night& night, Step& step, const std::string& message) {
  if (message == step.message) return;
  step.message = message;
  registry_.nights().set_step(night.id, step);
}

TaskSettings Nights::task_settings(const Night& night) const {
  TaskSettings task = settings_.task;
  task.stopped = [this, &night] {
    const std::lock_guard lock(mutex_);
    return stopping_ || is_over(night);
  };
  return task;
}

}  // namespace conceptd::daemon
