// How near a picture comes to the nearest photo that was learnt from: small is a photo drawn again.
//
// Every good picture of a thing lies near its photos. So the figure is held against the same one of fresh photos of the
// thing that nothing was learnt from: what lies nearer than those is a copy.
// Legend: b pictures, k photos, e width of the identity embedding.
#pragma once
#include "diffusion/torch.h"

namespace conceptd::learner {
using torch::Tensor;

struct CopyDistance {
  Tensor distance;  // (b) fp64, 1 - cosine to the nearest photo: 0..2
  Tensor nearest;   // (b) int64, which photo that is
};
// Embeddings of the evaluator's identity net (b, e) and (k, e), of any length but zero. Error{invalid} names what is
// wrong.
CopyDistance copy_distance(const Tensor& pictures, const Tensor& photos);

}  // namespace conceptd::learner
