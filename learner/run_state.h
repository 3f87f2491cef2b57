// What a learning run must remember so that going on later is, bit for bit, as if it had never stopped: what is learnt,
// Adam's moments, the generator, how far it is. As bytes it is one safetensors document.
#pragma once
#include <map>
#include <string>

#include "core/digest.h"
#include "diffusion/safetensors.h"
#include "learner/learner.h"

namespace conceptd::learner {

struct RunState {
  int64_t step = 0;    // taken
  double slowing = 1;  // factor of the rates: halved at every second try
  int tries = 0;       // so far, from where numbers stopped being numbers
  diffusion::TensorMap tensors;
};

// The tensors of a run: the optimiser's parameters and whatever else a step changes, by name. Both outlive it.
class RunMemory {
 public:
  using Others = std::map<std::string, Tensor*>;
  RunMemory(torch::optim::Adam& adam, torch::Generator& random, Others others);
  // A copy of everything, and back.
  diffusion::TensorMap save() const;
  void restore(const RunState& state);
  bool is_finite() const;

 private:
  torch::optim::Adam& adam_;
  torch::Generator& random_;
  const Others others_;
  std::vector<Tensor> parameters_;
};

// `good` is where a second try begins, `now` how far the run is.
struct Checkpoint {
  RunState now, good;
  double seconds = 0;  // of work
};

// `run` names the request: a checkpoint of another one is not taken for this one's.
std::string checkpoint_bytes(const Checkpoint& checkpoint, const Digest& run);
// Error{corrupt} if the bytes do not add up, Error{conflict} if they are another run's.
Checkpoint parse_checkpoint(std::string bytes, const Digest& run);

// Of everything that decides what a run learns, defaults that were not asked for too, but for the number of threads.
Digest run_digest(const std::string& method, const LearnRequest& request, const diffusion::ModelBundle& bundle);

}  // namespace conceptd::learner
