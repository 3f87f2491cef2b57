#include "learner/measures/copy_distance.h"

#include "core/error.h"

namespace conceptd::learner {

namespace {
Tensor directions(const Tensor& embeddings, const char* field) {
  if (embeddings.dim() != 2 || embeddings.size(0) == 0)
    throw Error(Code::invalid, "embeddings are a row a picture, and at least one", field);
  const auto exact = embeddings.detach().to(torch::kDouble);
  const auto length = exact.norm(2, 1, true);
  if (!(length > 0).all().item<bool>() || !length.isfinite().all().item<bool>())
    throw Error(Code::invalid, "an embedding has no direction", field);
  return exact / length;
}
}  // namespace

CopyDistance copy_distance(const Tensor& pictures, const Tensor& photos) {
  const auto drawn = directions(pictures, "pictures"), learnt = directions(photos, "photos");
  if (drawn.size(1) != learnt.size(1)) throw Error(Code::invalid, "embeddings of two nets do not compare", "photos");
  const auto [cosine, nearest] = torch::matmul(drawn, learnt.t()).max(1);
  return {1 - cosine, nearest};
}

}  // namespace conceptd::learner
