// Everything that only judges, opened from one folder: models/evaluator.
#pragma once
#include "core/digest.h"
#include "learner/evaluate/attribute_net.h"
#include "learner/evaluate/template_measure.h"
#include "learner/gate/judge.h"

namespace conceptd::evaluate {

struct Evaluator {
  explicit Evaluator(const std::filesystem::path& folder)
      : net(load_attribute_net(folder / "attributes.safetensors")),
        towers(learner::Judge::open(folder)),
        folder_(folder) {}
  // Of all that it judges by.
  Digest digest() const {
    std::string all;
    for (const char* file :
         {"attributes.safetensors", "text_encoder/model.safetensors", "image_encoder/model.safetensors"})
      all += Digest::of_file(folder_ / file).hex();
    return Digest::of(all);
  }
  AttributeNet net;
  learner::Judge towers;
  TemplateMeasure outlines = {};

 private:
  std::filesystem::path folder_;
};

}  // namespace conceptd::evaluate
