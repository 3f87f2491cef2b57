#include "learner/pretrain/flat_parameters.h"

namespace conceptd::pretrain {

FlatParameters::FlatParameters(torch::nn::Module& module) {
  int64_t total = 0;
  for (const auto& item : module.named_parameters()) {
    slots_.push_back({item.key(), item.value().sizes().vec(), total, item.value().numel()});
    total += (item.value().numel() + 15) / 16 * 16;  // 64-byte alignment
  }
  values_ = torch::zeros({total});
  torch::NoGradGuard frozen;
  auto parameters = module.named_parameters();
  for (const auto& slot : slots_) view(values_, slot).copy_(parameters[slot.name]);
  share_with(module);
}

Tensor FlatParameters::view(const Tensor& buffer, const Slot& slot) const {
  const auto flat = buffer.slice(0, slot.offset, slot.offset + slot.size);
  const auto& s = slot.shape;
  if (s.size() == 4 && s[2] > 1) return flat.view({s[0], s[2], s[3], s[1]}).permute({0, 3, 1, 2});
  return flat.view(s);
}

void FlatParameters::share_with(torch::nn::Module& replica) const {
  auto parameters = replica.named_parameters();
  for (const auto& slot : slots_) parameters[slot.name].set_data(view(values_, slot));
}

Tensor FlatParameters::attach_gradients(torch::nn::Module& module) const {
  auto gradients = torch::zeros_like(values_);
  auto parameters = module.named_parameters();
  for (const auto& slot : slots_) parameters[slot.name].mutable_grad() = view(gradients, slot);
  return gradients;
}

std::map<std::string, Tensor> FlatParameters::named(const Tensor& buffer) const {
  std::map<std::string, Tensor> out;
  for (const auto& slot : slots_) out[slot.name] = view(buffer, slot);
  return out;
}

}  // namespace conceptd::pretrain
