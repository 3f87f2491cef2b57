#include "learner/pretrain/step_loop.h"

#include "learner/pretrain/progress.h"

namespace conceptd::pretrain {

namespace {
class Every {  // true when `seconds` have passed since it last was
 public:
  explicit Every(double seconds) : seconds_(seconds) {}
  bool due(double now) { return now - last_ > seconds_ ? (last_ = now, true) : false; }

 private:
  const double seconds_;
  double last_ = 0;
};
}  // namespace

void run_steps(const StageOptions& options, const Tensor& values, std::vector<Tensor> gradients, const StepLoop& loop) {
  const auto folder = RunFolder{options.run}.stage(std::string(loop.stage));
  Adam adam(values, loop.adam);
  const auto resumed = load_resume(folder, adam);
  const nlohmann::json begun = resumed ? *resumed : loop.begun.is_null() ? nlohmann::json::object() : loop.begun;
  int64_t step = begun.value("step", int64_t{0}), images = begun.value("images", int64_t{0});
  if (loop.at_start) loop.at_start(step);
  Workers workers(options.workers);
  Progress progress(std::string(loop.stage), step, options.steps);
  // On a worker: the others wait, and a thread of the kernels' own would stand in their way.
  const auto on_a_worker = [&](const auto& work) { workers.run(1, [&](int, int) { work(); }); };
  const auto publish = [&] {
    nlohmann::json done = begun;
    done.update(progress.values());
    done["step"] = step, done["images"] = images;
    save_resume(folder, adam, done);
    loop.publish(adam.average, done);
  };
  const auto look = [&] {
    if (loop.look) loop.look(adam.average, images);
  };
  const auto limit_s = static_cast<double>(options.stop_after_s);
  Every checkpoint(options.checkpoint_s), grid(options.grid_s);
  const auto count = static_cast<double>(options.micro_batches);
  while (step < options.steps && (limit_s == 0 || progress.seconds() < limit_s)) {
    std::vector<Measured> measured(static_cast<std::size_t>(options.micro_batches));
    workers.run(static_cast<int>(options.micro_batches), [&](int worker, int task) {
      measured[static_cast<std::size_t>(task)] = loop.micro_batch(worker, task, step);
    });
    for (auto& gradient : gradients) gradient.div_(count);
    const double warm = std::min(1., static_cast<double>(adam.updates + 1) / static_cast<double>(loop.warmup));
    const double rate = warm * learning_rate(step, options.steps, options.rate, loop.hold);
    progress.measure("grad", adam.step(workers, gradients, rate, step));
    for (const auto& one : measured) {
      for (const auto& [name, value] : one) progress.measure(std::string(name), value);
    }
    images += options.micro_batch * options.micro_batches;
    progress.advance(++step, options.micro_batch * options.micro_batches);
    if (checkpoint.due(progress.seconds())) on_a_worker(publish);
    if (grid.due(progress.seconds())) on_a_worker(look);
  }
  on_a_worker(publish);
  on_a_worker(look);
}

}  // namespace conceptd::pretrain
