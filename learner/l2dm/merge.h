// The closed form of a night's consolidation: per key or value matrix, what all concepts' deltas add at their own
// tokens, as one matrix that else stays as near to nothing as it can.
//
//   M(S) = (sum_c w_c Y_c' K_c) (sum_c w_c K_c' K_c + lambda C0)^-1
//
// The ridge form of Custom Diffusion's merge (Kumari et al. 2023, arXiv 2212.04488; diffusion/edits/merged.h is its
// limit lambda -> 0) and of gradient fusion (Gu et al. 2023, arXiv 2305.18292). A concept's part is a function of its
// delta alone and parts are summed in the order of their deltas' digests, so M(S) depends on the set and on nothing
// else: not on who was learnt first, nor on who was there and went.
//
// Legend: m rows of one concept, c width of the text encoding, out what a site yields. K_c (m, c): encodings at the
// concept's tokens in a few prompts; Y_c (m, out): what its delta adds there; C0: token_covariance.h.
#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>

#include "diffusion/delta.h"
#include "diffusion/model_bundle.h"

namespace conceptd::learner {
using torch::Tensor;

// A delta and the digest of the document that it was stored as.
struct ConsolidationMember {
  Digest digest;
  diffusion::Delta delta;
  Tensor photos = {};  // (k, 3, height, width) in -1..1, for choosing what to rehearse; undefined: there are none
};

// Why this delta cannot be consolidated; empty: it can. What it changes beside keys and values of cross-attention is
// not in the closed form: LoRA's other projections.
std::string no_consolidation(const diffusion::Delta& delta);

struct ConceptStatistics {
  Digest digest;
  Tensor rows;                            // K_c (m, c) fp64
  Tensor weights;                         // (m) fp64, of the rows; those of the concept's own tokens sum to 1
  std::map<std::string, Tensor> answers;  // site -> Y_c (m, out) fp64
};

// What a delta adds at all text encodings x (n, c) of one of its prompts: (n, out) fp32. For tests too.
Tensor what_it_adds(const diffusion::SiteEdits& edits, diffusion::AdaptedLinearImpl& layer, const Tensor& x);

// rest: weight of the prompt's other rows, where the delta is asked to stay as it is, against its own tokens' 1.
ConceptStatistics concept_statistics(diffusion::ModelBundle& bundle, const diffusion::DeltaBase& base,
                                     const ConsolidationMember& member, double rest);

// The sums that M is solved from. Statistics may come and go; what went leaves rounding behind, so a consolidation
// sums anew what stays (merged_statistics()).
class MergeSums {
 public:
  void add(const ConceptStatistics& part, double weight = 1) { sum(part, weight); }
  void remove(const ConceptStatistics& part, double weight = 1) { sum(part, -weight); }
  const Tensor& keys() const { return keys_; }                               // sum w K'K (c, c) fp64
  const std::map<std::string, Tensor>& crossed() const { return crossed_; }  // site -> sum w K'Y (c, out) fp64
  // lambda is ridge * tr(sum w K'K) / tr(C0). (out, c) fp32 a site. Error{invalid} where nothing is there to solve.
  std::map<std::string, Tensor> solve(const Tensor& covariance, double ridge) const;

 private:
  void sum(const ConceptStatistics& part, double weight);
  Tensor keys_;
  std::map<std::string, Tensor> crossed_;
};

// M(S), whatever the order of `parts`.
std::map<std::string, Tensor> merged_statistics(std::vector<ConceptStatistics> parts, const Tensor& covariance,
                                                double ridge);

}  // namespace conceptd::learner
