// Everything that only judges, opened from one folder: models/evaluator.
#pragma once
#include "learner/evaluate/attribute_net.h"
#include "learner/evaluate/template_measure.h"
#include "learner/gate/judge.h"

namespace conceptd::evaluate {

struct Evaluator {
  explicit Evaluator(const std::filesystem::path& folder)
      : net(load_attribute_net(folder / "attributes.safetensors")), towers(learner::Judge::open(folder)) {}
  AttributeNet net;
  learner::Judge towers;
  TemplateMeasure outlines = {};
};

}  // namespace conceptd::evaluate
