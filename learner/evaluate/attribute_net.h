// The evaluator: a small convolutional net that reads a picture of the world: what stands there, in which colours, with
// which pattern and badge, before which background; and an identity embedding in which photos of one instance lie
// together. Trained on other seeds than the base.
#pragma once
#include <array>
#include <filesystem>

#include "diffusion/torch.h"
#include "learner/world/world.h"

namespace conceptd::evaluate {
using torch::Tensor;

// What is asked of each of the two places (left or only, right). Class 0 of a second place's shape is "nothing".
enum Question : int { kShape, kFirst, kSecond, kPattern, kBadge, kQuestions };

struct Answers {
  Tensor place[2][kQuestions];  // (b, classes) logits
  Tensor background;            // (b, backgrounds) logits
  Tensor colours;               // (b, 6) in 0..1: RGB of the first place's first and second colour
  Tensor identity;              // (b, 64), unit length
  Tensor patterns;              // (b, classes, 16, 16) logits: the pattern at every place. For training
};

struct AttributeNetImpl : torch::nn::Module {
  AttributeNetImpl();
  Answers forward(const Tensor& pictures);  // (b, 3, 64, 64) in -1..1
  torch::nn::Linear hidden{nullptr}, background{nullptr}, identity{nullptr}, colours{nullptr};
  torch::nn::Conv2d patterns{nullptr};
  torch::nn::ModuleList convolutions{nullptr}, norms{nullptr};
  torch::nn::ModuleList heads{nullptr};  // place * kQuestions + question
};
TORCH_MODULE(AttributeNet);

// The truth in the net's classes; -100 where there is nothing to say.
struct Truth {
  int64_t place[2][kQuestions];
  int64_t background;
  std::array<float, 6> colours;  // of the first place
};
Truth truth_of(const world::Scene& scene);

AttributeNet load_attribute_net(const std::filesystem::path& file);

}  // namespace conceptd::evaluate
