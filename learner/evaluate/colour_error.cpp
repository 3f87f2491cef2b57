#include "learner/evaluate/colour_error.h"

#include "learner/soft_mask.h"

namespace conceptd::evaluate {

namespace {
constexpr double kDimmest = .88, kBrightest = 1.15;  // the world's light from corner to corner
constexpr int64_t kShades = 10;
constexpr double kThere = .5;  // of the soft mask
constexpr double kFew = .05;   // of the thing's pixels: enough to say that a colour is there

// (k, shades, 3): what light makes of the thing's colours.
Tensor shades_of(const world::Instance& instance) {
  std::vector<Tensor> colours;
  for (const auto* colour : {&instance.first, &instance.second})
    colours.push_back(torch::tensor({colour->rgb[0], colour->rgb[1], colour->rgb[2]}));
  if (instance.first.rgb == instance.second.rgb) colours.pop_back();
  const auto light = torch::linspace(kDimmest, kBrightest, kShades).view({1, -1, 1});
  return (torch::stack(colours).unsqueeze(1) * light).clamp_max(1);
}
}  // namespace

std::vector<double> colour_errors(const Tensor& pictures, const world::Instance& instance) {
  torch::NoGradGuard frozen;
  const auto shades = shades_of(instance);
  const auto masks = learner::soft_masks(pictures);
  std::vector<double> errors;
  for (int64_t row = 0; row < pictures.size(0); ++row) {
    const auto there = masks[row][0].flatten() > kThere;
    const auto pixels = ((pictures[row].flatten(1).t() + 1) / 2).to(torch::kFloat).index({there});  // (n, 3)
    const auto apart = torch::cdist(shades.flatten(0, 1), pixels)
                           .view({shades.size(0), kShades, -1})
                           .amin(1);  // (k, n): of each pixel to the nearest shade of each colour
    const auto few = std::max<int64_t>(1, static_cast<int64_t>(kFew * static_cast<double>(pixels.size(0))));
    const auto of_pixels = apart.amin(0).mean(), of_colours = std::get<0>(apart.topk(few, 1, false)).mean();
    errors.push_back(((of_pixels + of_colours) / 2).item<double>());
  }
  return errors;
}

}  // namespace conceptd::evaluate
