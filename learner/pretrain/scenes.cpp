#include "learner/pretrain/scenes.h"

#include <png.h>

#include "core/error.h"

namespace conceptd::pretrain {
using world::kSide;

std::vector<world::Scene> draw_scenes(int64_t count, world::Random& random, const world::Breadth& breadth) {
  std::vector<world::Scene> scenes;
  for (int64_t k = 0; k < count; ++k) scenes.push_back(world::sample_scene(random, breadth));
  return scenes;
}

Tensor render_scenes(std::span<const world::Scene> scenes) {
  auto bytes = torch::empty({static_cast<int64_t>(scenes.size()), kSide, kSide, 3}, torch::kByte);
  constexpr std::size_t size = kSide * kSide * 3;
  for (std::size_t k = 0; k < scenes.size(); ++k)
    world::render(scenes[k], {bytes.data_ptr<uint8_t>() + k * size, size});
  return (bytes.to(torch::kFloat) / 127.5 - 1).permute({0, 3, 1, 2});
}

Tensor masks_of(std::span<const world::Scene> scenes) {
  auto masks = torch::zeros({static_cast<int64_t>(scenes.size()), 1, kSide, kSide}, torch::kByte);
  world::Mask mask(kSide * kSide);
  for (std::size_t k = 0; k < scenes.size(); ++k) {
    for (std::size_t o = 0; o < scenes[k].objects.size(); ++o) {
      world::render_mask(scenes[k], o, mask);
      auto one = torch::from_blob(mask.data(), {kSide, kSide}, torch::kByte);
      masks[static_cast<int64_t>(k)][0] = torch::maximum(masks[static_cast<int64_t>(k)][0], one);
    }
  }
  return masks.to(torch::kFloat) / 255;
}

void save_grid(const std::string& path, const Tensor& pictures, int64_t columns, int64_t zoom) {
  auto p = ((pictures.detach().to(torch::kFloat) + 1) * 127.5).round().clamp(0, 255).to(torch::kByte);
  const auto rows = (p.size(0) + columns - 1) / columns, h = p.size(2), w = p.size(3);
  auto canvas = torch::full({rows * h, columns * w, 3}, 255, torch::kByte);
  for (int64_t k = 0; k < p.size(0); ++k) {
    const auto y = k / columns * h, x = k % columns * w;
    canvas.slice(0, y, y + h).slice(1, x, x + w).copy_(p[k].permute({1, 2, 0}));
  }
  canvas = canvas.repeat_interleave(zoom, 0).repeat_interleave(zoom, 1).contiguous();
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(canvas.size(1)), image.height = static_cast<png_uint_32>(canvas.size(0));
  image.format = PNG_FORMAT_RGB;
  if (!png_image_write_to_file(&image, path.c_str(), 0, canvas.data_ptr<uint8_t>(), 0, nullptr)) {
    throw Error(Code::unavailable, "cannot write " + path + ": " + image.message);
  }
}

}  // namespace conceptd::pretrain
