// What every learner's delta says of itself, before it has tensors.
#pragma once
#include "learner/learner.h"

namespace conceptd::learner {

// `settings`: the method's own; the request's seed joins them.
inline diffusion::Delta new_delta(const std::string& method, const LearnRequest& request,
                                  const diffusion::DeltaBase& base, nlohmann::json settings) {
  settings["seed"] = request.seed;
  diffusion::Delta delta;
  delta.method = method, delta.class_word = request.class_word, delta.placeholder = "<" + request.name + ">";
  delta.base_fingerprint = base.fingerprint, delta.text_encoder_digest = base.text_encoder_digest;
  delta.settings = std::move(settings);
  return delta;
}

}  // namespace conceptd::learner
