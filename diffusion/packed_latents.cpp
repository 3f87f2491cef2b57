#include "diffusion/packed_latents.h"

#include "core/error.h"

namespace conceptd::diffusion {

namespace {
void check(int64_t height, int64_t width) {
  if (height <= 0 || width <= 0 || height % 2 || width % 2)
    throw Error(Code::internal, "latents of odd sides cannot be packed");
}
}  // namespace

Tensor pack_latents(const Tensor& latents) {
  const auto b = latents.size(0), c = latents.size(1), height = latents.size(2), width = latents.size(3);
  check(height, width);
  return latents.reshape({b, c, height / 2, 2, width / 2, 2})
      .permute({0, 2, 4, 1, 3, 5})
      .reshape({b, height / 2 * (width / 2), 4 * c});
}

Tensor unpack_latents(const Tensor& packed, int64_t height, int64_t width) {
  check(height, width);
  const auto b = packed.size(0), c = packed.size(2) / 4;
  return packed.reshape({b, height / 2, width / 2, c, 2, 2}).permute({0, 3, 1, 4, 2, 5}).reshape({b, c, height, width});
}

Tensor patch_ids(int64_t height, int64_t width, int64_t dy, int64_t dx) {
  check(height, width);
  const auto rows = (torch::arange(height / 2, torch::kFloat) + dy).unsqueeze(1).expand({height / 2, width / 2});
  const auto columns = (torch::arange(width / 2, torch::kFloat) + dx).unsqueeze(0).expand({height / 2, width / 2});
  return torch::stack({torch::zeros_like(rows), rows, columns}, -1).flatten(0, 1);
}

}  // namespace conceptd::diffusion
