#include "learner/structure_tensor.h"

namespace conceptd::learner {

torch::Tensor structure_tensor(const torch::Tensor& pictures) {
  namespace F = torch::nn::functional;
  using torch::Tensor;
  const auto h = pictures.size(2), w = pictures.size(3);
  const auto wide = F::pad(pictures, F::PadFuncOptions({1, 1, 1, 1}).mode(torch::kReplicate));
  const auto dx = (wide.slice(3, 2, w + 2) - wide.slice(3, 0, w)).slice(2, 1, h + 1);
  const auto dy = (wide.slice(2, 2, h + 2) - wide.slice(2, 0, h)).slice(3, 1, w + 1);
  const auto around = [](const Tensor& t) { return torch::avg_pool2d(t, {7, 7}, {1, 1}, {3, 3}, false, false); };
  const auto xx = around(dx.pow(2).sum(1, true)), yy = around(dy.pow(2).sum(1, true));
  const auto twice_xy = 2 * around((dx * dy).sum(1, true)), all = xx + yy + .02;
  return torch::cat(
      {(xx - yy) / all, twice_xy / all, torch::log(all), torch::sqrt((xx - yy).pow(2) + twice_xy.pow(2) + 1e-12) / all},
      1);
}

}  // namespace conceptd::learner
