// Textual Inversion: one learned word, and nothing else. The first comparator of every other method.
//
// Gal et al., "An Image is Worth One Word", ICLR 2023 (arXiv 2208.01618), eq. 2. Our loss is masked where the subject
// is, as for the other methods, so that a comparison compares methods and not masks.
#pragma once
#include "learner/learner.h"
#include "learner/step_settings.h"

namespace conceptd::learner {

struct TextualInversionSettings : StepSettings {
  double rate = .005;
  static TextualInversionSettings from_json(const nlohmann::json& settings);  // Error{invalid} names the setting
  nlohmann::json to_json() const;                                             // all but the previews
};

class TextualInversionLearner : public Learner {
 public:
  Learned learn(const LearnRequest& request, LearnContext& context) override;
};

}  // namespace conceptd::learner
