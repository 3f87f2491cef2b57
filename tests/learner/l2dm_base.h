// Deltas for tests of consolidation: random ones that fit the embedded base, made in no time.
#pragma once
#include "diffusion/token_covariance.h"
#include "embedded_base.h"
#include "learner/l2dm/merge.h"
#include "learner/word_embedding.h"

namespace conceptd::learner {

inline const diffusion::TokenCovariance& embedded_covariance() {
  static const auto g_covariance = diffusion::TokenCovariance::of(embedded_base());
  return g_covariance;
}

inline const diffusion::DeltaBase& embedded_delta_base() {
  static const auto g_base = diffusion::DeltaBase::of(embedded_base(), &embedded_covariance());
  return g_base;
}

// libtorch's own threads wait for each other wherever anything else runs; small models have no use for them.
class OneThread {
 public:
  OneThread() : before_(at::get_num_threads()) { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  const int before_;
};

// A Perfusion delta whose word lies near its class word and whose outputs are anything.
inline ConsolidationMember random_member(const std::string& name, const std::string& class_word) {
  const torch::NoGradGuard frozen;
  auto& bundle = embedded_base();
  const auto& base = embedded_delta_base();
  auto random = torch::make_generator<at::CPUGeneratorImpl>(std::hash<std::string>()(name));
  const auto normal = [&](at::IntArrayRef shape) { return torch::randn(shape, random, torch::kFloat); };
  diffusion::Delta delta{.method = "perfusion", .class_word = class_word, .placeholder = "<" + name + ">"};
  delta.base_fingerprint = base.fingerprint, delta.text_encoder_digest = base.text_encoder_digest;
  delta.covariance_digest = base.covariance->digest();
  const auto word = class_row(bundle, class_word);
  delta.tensors[diffusion::kWordTensor] = word + word.std() * normal({1, base.text_width});
  const auto prompts = fill_templates(bundle, {"a {}"}, class_word);
  delta.tensors[diffusion::kInputTensor] = at_position(
      encode_rows(bundle, prompts, torch::zeros({1}, torch::kLong), delta.tensors.at("w")), prompts.position)[0];
  for (const auto& [site, out] : base.key_sites) delta.tensors[diffusion::kKeyPrefix + site] = normal({out});
  for (const auto& [site, out] : base.value_sites) delta.tensors[diffusion::kValuePrefix + site] = normal({out});
  const auto digest = Digest::of(diffusion::delta_bytes(delta));
  return {digest, std::move(delta)};
}

}  // namespace conceptd::learner
