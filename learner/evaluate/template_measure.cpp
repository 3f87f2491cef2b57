#include "learner/evaluate/template_measure.h"

#include "learner/pretrain/scenes.h"
#include "learner/pretrain/stages.h"

namespace conceptd::evaluate {
namespace {

constexpr int kForms = 8;                       // proportions a shape
constexpr float kSizes[] = {39.5f, 43, 46.5f};  // box sides, pixels
constexpr int64_t kMargin = 4;                  // shifts of up to so many pixels each way
constexpr std::uint64_t kSeed = 0x7e3b;

Tensor edges_of(const Tensor& grey) {  // (b, 1, 64, 64): blurred gradient magnitude, the same size
  const auto dx = torch::constant_pad_nd(grey.slice(3, 1) - grey.slice(3, 0, -1), {0, 1, 0, 0});
  const auto dy = torch::constant_pad_nd(grey.slice(2, 1) - grey.slice(2, 0, -1), {0, 0, 0, 1});
  // The strongest edge should not outweigh an outline of weaker ones.
  const auto strength = (dx.pow(2) + dy.pow(2)).sqrt().clamp_max(.5);
  return torch::avg_pool2d(strength, {3, 3}, {1, 1}, {1, 1});
}

}  // namespace

TemplateMeasure::TemplateMeasure() {
  auto random = pretrain::task_random(kSeed, 0, 0);
  std::vector<world::Scene> scenes;
  for (int shape = 0; shape < world::trained_shapes(); ++shape) {
    for (int form = 0; form < kForms; ++form) {
      const auto instance = world::sample_instance(random, {}, shape);
      for (const float size : kSizes) {
        scenes.push_back({.objects = {{.instance = instance, .x = 32, .y = 32, .size = size}}});
        shape_of_.push_back(shape);
      }
    }
  }
  const auto end = world::kSide - kMargin;
  const auto window = edges_of(pretrain::masks_of(scenes)).slice(2, kMargin, end).slice(3, kMargin, end);
  const auto centred = window - window.mean({1, 2, 3}, true);
  bank_ = centred / centred.pow(2).sum({1, 2, 3}, true).sqrt();
}

std::vector<int64_t> TemplateMeasure::shapes(const Tensor& pictures) const {
  torch::NoGradGuard frozen;
  std::vector<int64_t> found;
  const auto window = bank_.size(2);
  for (int64_t row = 0; row < pictures.size(0); ++row) {
    const auto edges = edges_of(pictures.slice(0, row, row + 1).contiguous().mean(1, true));
    const auto patches = torch::im2col(edges, {window, window}, {1, 1}, {0, 0}, {1, 1})[0];  // (window², shifts)
    const auto centred = patches - patches.mean(0, true);
    const auto scores = torch::matmul(bank_.flatten(1), centred) / centred.pow(2).sum(0, true).sqrt().clamp_min(1e-6);
    found.push_back(shape_of_[static_cast<std::size_t>(std::get<0>(scores.max(1)).argmax().item<int64_t>())]);
  }
  return found;
}

}  // namespace conceptd::evaluate
