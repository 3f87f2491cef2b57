#include "daemon/tensor_picture.h"

#include <algorithm>

#include "diffusion/image_resize.h"

namespace conceptd::daemon {

using torch::Tensor;

picture::Picture to_picture(const Tensor& pixels) {
  const Tensor bytes = pixels.to(torch::kByte).contiguous();
  const auto* begin = bytes.data_ptr<std::uint8_t>();
  return {.width = static_cast<int>(bytes.size(1)),
          .height = static_cast<int>(bytes.size(0)),
          .rgb = {begin, begin + bytes.numel()}};
}

picture::Picture to_picture_from_signed(const Tensor& values) {
  const Tensor pixels = ((values.detach().to(torch::kFloat) / 2 + .5).clamp(0, 1) * 255).round();
  return to_picture(pixels.permute({1, 2, 0}));
}

Tensor to_photos(std::span<const picture::Picture> pictures, int side) {
  std::vector<Tensor> photos;
  for (const picture::Picture& picture : pictures) {
    const Tensor pixels = torch::from_blob(const_cast<std::uint8_t*>(picture.rgb.data()),
                                           {picture.height, picture.width, 3}, torch::kByte);
    const int square = std::min(picture.width, picture.height);
    const Tensor middle = pixels.slice(0, (picture.height - square) / 2, (picture.height - square) / 2 + square)
                              .slice(1, (picture.width - square) / 2, (picture.width - square) / 2 + square)
                              .contiguous();
    const Tensor fitted = diffusion::resize_picture(middle, side, side);
    photos.push_back(fitted.permute({2, 0, 1}).to(torch::kFloat) / 127.5 - 1);
  }
  return torch::stack(photos);
}

torch::Tensor to_photos(std::span<const std::string> files, int side) {
  std::vector<picture::Picture> pictures;
  for (const std::string& file : files) pictures.push_back(picture::decode(file));
  return pictures.empty() ? torch::Tensor() : to_photos(pictures, side);
}

}  // namespace conceptd::daemon
