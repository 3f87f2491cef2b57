#include "learner/step_workers.h"

#include "diffusion/edits/edited.h"

namespace conceptd::learner {

StepWorkers::LossOf StepWorkers::loss_under(diffusion::ModelBundle& bundle,
                                            const std::shared_ptr<const diffusion::EditSet>& edits) {
  return [&bundle, edits](const Draw& draw, const Tensor& states) {
    diffusion::Edited adapt(diffusion::Edited::Rows(static_cast<std::size_t>(draw.noisy.size(0)), edits));
    const auto prediction =
        bundle.unet(draw.noisy.to(bundle.compute), draw.timesteps, states.to(bundle.compute), adapt);
    return masked_loss(prediction, draw.target, draw.mask);
  };
}

StepWorkers::StepWorkers() : threads_before_(at::get_num_threads()), workers_(threads_before_) {
  at::set_num_threads(1);
}

StepWorkers::~StepWorkers() { at::set_num_threads(threads_before_); }

double StepWorkers::run(const Draw& draw, const LossOf& loss_of, const Tensor& states,
                        const std::vector<Tensor>& leaves, std::vector<std::vector<Tensor>>* gradients) {
  const auto b = draw.noisy.size(0), parts = std::min<int64_t>(workers_.count(), b);
  std::vector<double> losses(static_cast<std::size_t>(parts));
  if (gradients) gradients->resize(static_cast<std::size_t>(parts));
  workers_.run(static_cast<int>(parts), [&](int, int task) {
    const auto from = b * task / parts, rows = b * (task + 1) / parts - from;
    torch::AutoGradMode mode(gradients != nullptr);
    auto mine = states.detach().slice(0, from, from + rows).requires_grad_(gradients != nullptr);
    const auto loss = loss_of(draw.rows(from, rows), mine) * (static_cast<double>(rows) / static_cast<double>(b));
    losses[static_cast<std::size_t>(task)] = loss.item<double>();
    if (!gradients) return;
    std::vector<Tensor> inputs{mine};
    inputs.insert(inputs.end(), leaves.begin(), leaves.end());
    (*gradients)[static_cast<std::size_t>(task)] = torch::autograd::grad({loss}, inputs);
  });
  double sum = 0;
  for (const double loss : losses) sum += loss;
  return sum;
}

double StepWorkers::loss(const Draw& draw, const Tensor& states, const LossOf& loss_of) {
  return run(draw, loss_of, states, {}, nullptr);
}

double StepWorkers::backward(const Draw& draw, const Tensor& states, const std::vector<Tensor>& leaves,
                             const LossOf& loss_of) {
  std::vector<std::vector<Tensor>> gradients;
  const double loss = run(draw, loss_of, states, leaves, &gradients);
  for (std::size_t k = 0; k < leaves.size(); ++k) {
    auto sum = gradients[0][k + 1];
    for (std::size_t part = 1; part < gradients.size(); ++part) sum = sum + gradients[part][k + 1];
    auto leaf = leaves[k];
    leaf.mutable_grad() = sum.clone();  // of one part alone it may be a view, which an optimiser cannot clear
  }
  std::vector<Tensor> of_states;
  for (auto& part : gradients) of_states.push_back(part[0]);
  if (states.requires_grad()) torch::autograd::backward({states}, {torch::cat(of_states)});
  return loss;
}

}  // namespace conceptd::learner
