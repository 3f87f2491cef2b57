// The loop that every stage of training runs: micro-batches over single-threaded workers, one step of Adam, a line of
// progress, a checkpoint in time. It goes on from what the stage's folder below `run` holds, and ends early, with
// everything saved, when --stop-after says so.
#pragma once
#include <functional>
#include <string_view>
#include <utility>

#include "learner/pretrain/checkpoint.h"
#include "learner/pretrain/stages.h"

namespace conceptd::pretrain {

using Measured = std::vector<std::pair<std::string_view, double>>;  // what a progress line shows, by name

struct StepLoop {
  std::string_view stage;  // names the folder and the lines
  AdamSettings adam;
  int64_t warmup = 100;                          // updates since the moments were zero: linear
  double hold = .6;                              // share of the schedule before the rate begins to fall
  nlohmann::json begun = {};                     // progress to begin at when the folder holds none; may be null
  std::function<void(int64_t step)> at_start{};  // once, the resumed step known, before the first micro-batch
  // Draws a micro-batch, runs backward on replica `worker`; the gradients of a step's micro-batches are averaged.
  std::function<Measured(int worker, int task, int64_t step)> micro_batch;
  // Writes what has been learned, every checkpoint_s and at the end. `progress`: step, images and what is measured.
  std::function<void(const Tensor& average, const nlohmann::json& progress)> publish;
  std::function<void(const Tensor& average, int64_t images)> look{};  // draws a grid, every grid_s and at the end
};

// `gradients`: a buffer a worker, laid out as `values`.
void run_steps(const StageOptions& options, const Tensor& values, std::vector<Tensor> gradients, const StepLoop& loop);

}  // namespace conceptd::pretrain
