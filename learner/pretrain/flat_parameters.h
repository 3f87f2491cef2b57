// All parameters of a module in one fp32 buffer, so that replicas can share the values, gradients can be summed, and
// the optimiser is one loop.
#pragma once
#include "diffusion/torch.h"

namespace conceptd::pretrain {
using torch::Tensor;

class FlatParameters {
 public:
  // Copies the module's parameters into one buffer and makes them views of it. 3x3 kernels are laid out channels last.
  explicit FlatParameters(torch::nn::Module& module);
  // Makes `replica`'s parameters views of the same values.
  void share_with(torch::nn::Module& replica) const;
  // A zeroed buffer of which `module`'s gradients become views: backward adds into it.
  Tensor attach_gradients(torch::nn::Module& module) const;
  // Both, for models of one architecture: all read these values, each has gradients of its own. One buffer a model.
  template <class Model>
  std::vector<Tensor> replicate(std::vector<Model>& models) const {
    std::vector<Tensor> gradients;
    for (auto& model : models) {
      share_with(*model);
      gradients.push_back(attach_gradients(*model));
    }
    return gradients;
  }
  // Named views of `buffer` (laid out like values()), for saving.
  std::map<std::string, Tensor> named(const Tensor& buffer) const;
  const Tensor& values() const { return values_; }

 private:
  struct Slot {
    std::string name;
    std::vector<int64_t> shape;
    int64_t offset = 0, size = 0;
  };
  Tensor view(const Tensor& buffer, const Slot& slot) const;
  std::vector<Slot> slots_;
  Tensor values_;  // (n) fp32
};

}  // namespace conceptd::pretrain
