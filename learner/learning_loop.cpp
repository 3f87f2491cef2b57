#include "learner/learning_loop.h"

#include <cmath>

#include "core/error.h"
#include "learner/preview.h"
#include "learner/settling.h"

namespace conceptd::learner {

LearningLoop::LearningLoop(LearningPlan plan, const LearnRequest& request, LearnContext& context,
                           torch::optim::Adam& adam, RunMemory::Others others)
    : plan_(std::move(plan)),
      request_(request),
      context_(context),
      adam_(adam),
      random_(torch::make_generator<at::CPUGeneratorImpl>(request.seed)),
      memory_(adam, random_, std::move(others)),
      run_(run_digest(plan_.method, request, context.bundle)),
      began_(Clock::now()),
      remembered_(began_) {}

double LearningLoop::seconds() const {
  return seconds_before_ + std::chrono::duration<double>(Clock::now() - began_).count();
}

nlohmann::json LearningLoop::metrics(double loss_first, double loss_last, int64_t unet_passes) const {
  return {{"loss_first", loss_first}, {"loss_last", loss_last}, {"seconds", seconds()}, {"unet_passes", unet_passes}};
}

void LearningLoop::resume() {
  if (request_.checkpoint.empty()) return;
  const RunState fresh{.step = 0, .slowing = 1, .tries = 0, .tensors = memory_.save()};
  try {
    auto found = parse_checkpoint(request_.checkpoint, run_);
    memory_.restore(found.now);
    now_ = {.step = found.now.step, .slowing = found.now.slowing, .tries = found.now.tries, .tensors = {}};
    good_ = std::move(found.good);
    seconds_before_ = found.seconds;
    note_ = "goes on after step " + std::to_string(now_.step);
  } catch (const Error& error) {
    memory_.restore(fresh);  // a broken one may have been taken in half
    note_ = std::string(error.what()) + ", so this begins anew";
  }
}

void LearningLoop::run(const TakeStep& take_step, const Preview& preview) {
  resume();
  while (now_.step < plan_.steps) {
    if (now_.step % kGoodEvery == 0 && (good_.tensors.empty() || good_.step != now_.step))
      good_ = {.step = now_.step, .slowing = now_.slowing, .tries = now_.tries, .tensors = memory_.save()};
    set_rates(adam_, plan_.rates, now_.slowing * settling(now_.step, plan_.steps, plan_.settle));
    adam_.zero_grad();
    const double loss = take_step(now_.step, random_);
    if (std::isfinite(loss)) adam_.step();
    if (!std::isfinite(loss) || !memory_.is_finite()) {
      go_back(loss);
      continue;
    }
    ++now_.step, ++steps_here_;
    remember();
    report(loss, preview);
  }
}

void LearningLoop::go_back(double loss) {
  const auto at = std::to_string(now_.step + 1);
  const auto what = std::isfinite(loss) ? "a learnt value is not a number" : "the loss is not a number";
  if (now_.tries == kTriesMax) {
    throw Diverged(what + (" at step " + at) + ", after " + std::to_string(kTriesMax) +
                   " more tries at half the rate each; learn again with smaller rates, or look at the photos");
  }
  good_.slowing = now_.slowing = now_.slowing / 2;
  good_.tries = now_.tries = now_.tries + 1;
  now_.step = good_.step;
  memory_.restore(good_);
  note_ = what + (" at step " + at) + "; goes on from step " + std::to_string(good_.step) + " at half the rate";
}

void LearningLoop::remember() {
  if (!context_.checkpoint || std::chrono::duration<double>(Clock::now() - remembered_).count() < context_.checkpoint_s)
    return;
  auto now = now_;
  now.tensors = memory_.save();
  context_.checkpoint(checkpoint_bytes({.now = std::move(now), .good = good_, .seconds = seconds()}, run_));
  remembered_ = Clock::now();
}

void LearningLoop::report(double loss, const Preview& preview) {
  if (!context_.progress) return;
  const double here = std::chrono::duration<double>(Clock::now() - began_).count();
  LearnProgress progress{
      .step = now_.step,
      .steps = plan_.steps,
      .loss = loss,
      .eta_s = here / static_cast<double>(steps_here_) * static_cast<double>(plan_.steps - now_.step),
      .note = std::move(note_),
      .preview = {}};
  note_.clear();
  if (preview_is_due(now_.step, plan_.steps, plan_.preview_every)) progress.preview = preview();
  context_.progress(progress);
}

}  // namespace conceptd::learner
