#include "learner/soft_mask.h"

namespace conceptd::learner {

namespace {
// Smooth functions of the position (h, w) -> (h * w, m): low-order polynomials, and steps of height for horizons.
Tensor position_features(int64_t height, int64_t width) {
  const auto y = torch::linspace(-1, 1, height).view({height, 1}).expand({height, width});
  const auto x = torch::linspace(-1, 1, width).view({1, width}).expand({height, width});
  std::vector<Tensor> features{torch::ones_like(x), x, y, x * y, x * x, y * y};
  for (double at = -.7; at < .75; at += .2) features.push_back(torch::sigmoid((y - at) * 12));
  return torch::stack(features, -1).flatten(0, 1);
}

Tensor blurred(const Tensor& map, int64_t radius) {  // (h, w)
  return torch::avg_pool2d(map.view({1, 1, map.size(0), map.size(1)}), {2 * radius + 1, 2 * radius + 1}, {1, 1},
                           {radius, radius}, false, false)
      .view(map.sizes());
}
}  // namespace

Tensor soft_masks(const Tensor& photos) {
  torch::NoGradGuard frozen;
  const auto k = photos.size(0), height = photos.size(2), width = photos.size(3);
  const auto features = position_features(height, width).to(torch::kDouble);  // (p, m)
  const auto y = torch::linspace(-1, 1, height).view({height, 1}), x = torch::linspace(-1, 1, width).view({1, width});
  const auto edge = torch::maximum(y.abs().expand({height, width}), x.abs().expand({height, width}));
  const auto bump = torch::exp(-(x * x + y * y) / .6);
  auto masks = torch::empty({k, 1, height, width});
  for (int64_t n = 0; n < k; ++n) {
    const auto colours = photos[n].permute({1, 2, 0}).flatten(0, 1).to(torch::kDouble);  // (p, 3)
    auto weight = (edge > .78).to(torch::kDouble).flatten();
    Tensor distance;
    for (int round = 0; round < 4; ++round) {  // reweighted least squares: border pixels that do not fit lose their say
      const auto w = weight.unsqueeze(-1);
      const auto normal =
          torch::matmul(features.t(), features * w) + 1e-3 * torch::eye(features.size(1), torch::kDouble);
      const auto fit = torch::matmul(features, torch::linalg_solve(normal, torch::matmul(features.t(), colours * w)));
      distance = (colours - fit).pow(2).sum(-1).sqrt();
      weight = (edge > .78).to(torch::kDouble).flatten() * torch::exp(-distance / .15);
    }
    const auto border = (edge > .78).flatten();
    const auto noise = distance.masked_select(border).quantile(.8).clamp_min(.05);
    const auto away = torch::sigmoid((distance / noise - 3) * 1.5).view({height, width}).to(torch::kFloat);
    const auto solid = blurred(blurred(away, 2), 2) * bump.clamp_min(.05).pow(.35);
    masks[n][0] = solid / solid.max().clamp_min(1e-6);
  }
  return masks;
}

}  // namespace conceptd::learner
