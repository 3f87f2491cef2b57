#include "daemon/job_runner.h"

namespace conceptd::daemon {
namespace {

RunnerSettings for_drafts(RunnerSettings settings, JobRunner& others) {
  settings.drafts = true;
  settings.when_over = [&others] { others.wake(); };  // which waited for it
  return settings;
}

RunnerSettings for_others(RunnerSettings settings, const JobRunner& drafts) {
  settings.drafts = false;
  settings.must_give_way = [pictures = std::move(settings.must_give_way), &drafts] {
    return drafts.is_running() || (pictures && pictures());
  };
  return settings;
}

}  // namespace

JobRunners::JobRunners(registry::Registry& registry, const Model& model, LiveStates& live,
                       const RunnerSettings& settings)
    : drafts_(registry, model, live, for_drafts(settings, others_)),
      others_(registry, model, live, for_others(settings, drafts_)) {}

void JobRunners::start() {
  drafts_.start();
  others_.start();
}

void JobRunners::stop() {
  others_.stop();
  drafts_.stop();
}

void JobRunners::wake() {
  drafts_.wake();
  others_.wake();
}

void JobRunners::note_cancelled(std::int64_t id) {
  drafts_.note_cancelled(id);
  others_.note_cancelled(id);
}

std::optional<registry::Progress> JobRunners::progress(std::int64_t id) const {
  const auto drafting = drafts_.progress(id);
  return drafting ? drafting : others_.progress(id);
}

std::optional<std::string> JobRunners::preview(std::int64_t id) const {
  const auto drafting = drafts_.preview(id);
  return drafting ? drafting : others_.preview(id);
}

}  // namespace conceptd::daemon
