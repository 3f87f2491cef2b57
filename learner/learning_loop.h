// The steps of a learning run, the same for every method that takes steps: rates that come to rest, a look at every
// number, progress, checkpoints.
//
// Where a loss or a learnt value stops being a number, the run goes back to the last good point and on at half the
// rates, twice; then it ends as Diverged. Good points lie at fixed steps, so a run that was killed and resumed goes
// back to the same one.
#pragma once
#include <chrono>

#include "learner/learner.h"
#include "learner/run_state.h"

namespace conceptd::learner {

struct LearningPlan {
  std::string method;
  int64_t steps = 0;
  std::vector<double> rates;  // one peak rate a parameter group of the optimiser
  double settle = 0;          // see settling.h
  int64_t preview_every = 0;  // steps, and the last; 0: no previews
};

class LearningLoop {
 public:
  static constexpr int kTriesMax = 2;
  static constexpr int64_t kGoodEvery = 25;  // steps

  // Takes the step with this number (from 0): draws from `random`, leaves gradients in the optimiser's parameters,
  // returns the loss.
  using TakeStep = std::function<double(int64_t step, torch::Generator& random)>;
  using Preview = std::function<Tensor()>;

  // others: what a step changes besides the optimiser's parameters. All are lent until the loop ends.
  LearningLoop(LearningPlan plan, const LearnRequest& request, LearnContext& context, torch::optim::Adam& adam,
               RunMemory::Others others = {});
  // From the request's checkpoint if it has a usable one (what is wrong with another is said as progress).
  void run(const TakeStep& take_step, const Preview& preview);
  // Learned::metrics, after run(). Losses are on a fixed draw, before and after.
  nlohmann::json metrics(double loss_first, double loss_last, int64_t unet_passes) const;

 private:
  using Clock = std::chrono::steady_clock;
  double seconds() const;  // of work, over all that the run was resumed from
  void resume();
  void go_back(double loss);
  void report(double loss, const Preview& preview);
  void remember();

  const LearningPlan plan_;
  const LearnRequest& request_;
  LearnContext& context_;
  torch::optim::Adam& adam_;
  torch::Generator random_;
  RunMemory memory_;
  const Digest run_;
  Clock::time_point began_, remembered_;
  double seconds_before_ = 0;
  int64_t steps_here_ = 0;  // taken by this process
  RunState now_, good_;     // now_ without its tensors
  std::string note_;        // for the next progress
};

}  // namespace conceptd::learner
