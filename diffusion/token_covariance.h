// C = E[e e^T], the uncentred second moment of text encodings: the metric in which Perfusion keeps concepts apart.
//
// It belongs to a text encoder and lies in the base's folder (perfusion/covariance.safetensors), never in a delta: a
// delta names its digest. Rows: every position of a caption, padding too, since the denoiser reads them all
// (perfusion's ALL77; OPEN in the paper). Accumulated, factored and solved in fp64. Legend: c context width.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.h"
#include "diffusion/model_bundle.h"

namespace conceptd::diffusion {

class TokenCovariance {
 public:
  // Over captions from the base's own domain; many more rows than c. Error{invalid} with fewer than 100 captions.
  static TokenCovariance measure(ModelBundle& bundle, const std::vector<std::string>& captions);
  // Of the folder the bundle was loaded from. Error{unavailable} says how to make one; Error{conflict} if it is another
  // text encoder's.
  static TokenCovariance of(const ModelBundle& bundle);
  // Methods that need none work on a base without one.
  static std::optional<TokenCovariance> if_any(const ModelBundle& bundle);
  // (c, c), symmetric positive definite; of the text encoder with this parameter_digest, all zero: not stated.
  explicit TokenCovariance(const Tensor& covariance, const Digest& text_encoder = {});

  void save(const std::filesystem::path& base_folder) const;
  // k = C^-1 i* / (i*^T C^-1 i*), so that k i* = 1. input (c) -> (c) fp32.
  Tensor key_of(const Tensor& input) const;
  const Tensor& matrix() const { return covariance_; }  // (c, c) fp64
  Digest digest() const;                                // of the matrix's bytes

 private:
  Tensor covariance_, cholesky_;  // (c, c) fp64; lower
  Digest text_encoder_;
};

}  // namespace conceptd::diffusion
