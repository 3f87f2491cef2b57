// A learning step over single-threaded workers, a part of the batch's rows each; the frozen model is shared.
//
// Rows are parted evenly and sums are made in the workers' order, so a step is the same bit for bit wherever the number
// of workers is the same.
#pragma once
#include "diffusion/edits/edits.h"
#include "learner/objective.h"
#include "learner/workers.h"

namespace conceptd::learner {

class StepWorkers {
 public:
  // The mean loss of a part's rows, given their text states (rows, n, c). Called from several threads at once.
  using LossOf = std::function<Tensor(const Draw& part, const Tensor& states)>;

  // masked_loss() of what the frozen denoiser predicts under `edits`, the same for all rows; null: under none.
  static LossOf loss_under(diffusion::ModelBundle& bundle, const std::shared_ptr<const diffusion::EditSet>& edits);

  // As many workers as libtorch would use threads. Until the end, the calling thread computes alone as well: idle
  // OpenMP threads spin, and would take the workers' CPUs.
  StepWorkers();
  ~StepWorkers();
  StepWorkers(const StepWorkers&) = delete;
  StepWorkers& operator=(const StepWorkers&) = delete;

  double loss(const Draw& draw, const Tensor& states, const LossOf& loss_of);  // without gradients
  // Leaves the gradients in .grad: of `leaves`, which loss_of reads, and of whatever `states` (b, n, c) was made from.
  double backward(const Draw& draw, const Tensor& states, const std::vector<Tensor>& leaves, const LossOf& loss_of);

 private:
  double run(const Draw& draw, const LossOf& loss_of, const Tensor& states, const std::vector<Tensor>& leaves,
             std::vector<std::vector<Tensor>>* gradients);
  const int threads_before_;
  Workers workers_;
};

}  // namespace conceptd::learner
