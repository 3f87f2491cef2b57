// Infusion's residuals in six bits a value: the compact form of its delta (docs/format-delta.md).
//
// Every site has a scale s = max |r| / 31, as bfloat16, and each of its values is the whole number nearest to r / s, in
// -31..31. All sites' numbers stand behind each other in the order of the sites' names, four of them in three bytes,
// lowest bits first, each as its two's complement. Packing what was unpacked gives the same bytes.
#pragma once
#include <string>

#include "core/error.h"
#include "diffusion/safetensors.h"

namespace conceptd::diffusion {

struct PackedResiduals {
  Tensor values;  // uint8 (ceil(6 n / 8)), n numbers in all
  Tensor scales;  // bfloat16, one a site
  std::string
      sites;  // "mid_block.attentions.0.transformer_blocks.0=1280,...": names without `suffix`, numbers of values
};

// by_site: (out) fp32 each, finite. Every name ends with `suffix`; Error{invalid} names one that does not, or that a
// list cannot hold.
PackedResiduals pack_residuals(const TensorMap& by_site, const std::string& suffix);

// Hostile input assumed: Error{corrupt}, by `what`, says what does not add up.
TensorMap unpack_residuals(const PackedResiduals& packed, const std::string& suffix, const std::string& what);

}  // namespace conceptd::diffusion
