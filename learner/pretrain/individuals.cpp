#include "learner/pretrain/individuals.h"

#include <ATen/CPUGeneratorImpl.h>

namespace conceptd::pretrain {
namespace {
constexpr double kShare = .2;
constexpr std::uint64_t kMapSeed = 0x1d1;
}  // namespace

Tensor attributes_of(const world::Instance& instance) {
  std::vector<float> d(instance.form.begin(), instance.form.end());
  for (const auto* colour : {&instance.first, &instance.second}) {
    for (const float channel : colour->rgb) d.push_back(4 * channel - 2);
  }
  const auto one_of = [&](std::size_t count, int which) {
    for (std::size_t k = 0; k < count; ++k) d.push_back(static_cast<int>(k) == which ? 1.f : 0.f);
  };
  one_of(world::pattern_words().size(), instance.pattern);
  one_of(world::badge_words().size(), instance.badge);
  const bool has_pattern = instance.pattern != 0, has_badge = instance.badge != 0;
  d.push_back(has_pattern ? (instance.period - .32f) * 25 : 0);
  d.push_back(has_badge ? instance.badge_x * 28 : 0);
  d.push_back(has_badge ? instance.badge_y * 28 : 0);
  return torch::tensor(d);
}

Individuals::Individuals(int64_t text_width, double state_spread) {
  auto random = at::make_generator<at::CPUGeneratorImpl>(kMapSeed);
  const auto d = attributes_of({}).size(0);
  map_ = kShare * state_spread * torch::randn({d, text_width}, random, torch::kFloat);
}

Tensor Individuals::said_of(const world::Instance& instance) const {
  return torch::mv(map_.t(), attributes_of(instance));
}

Tensor Individuals::said_in(const Tensor& nouns, std::span<const world::Scene> scenes,
                            const std::vector<bool>& is_individual) const {
  const auto things = nouns.size(1);
  auto said = torch::zeros({nouns.size(0), things, map_.size(1)});
  for (std::size_t row = 0; row < scenes.size(); ++row) {
    if (!is_individual[row]) continue;
    const auto& objects = scenes[row].objects;
    for (std::size_t k = 0; k < std::min(objects.size(), static_cast<std::size_t>(things)); ++k)
      said[static_cast<int64_t>(row)][static_cast<int64_t>(k)] = said_of(objects[k].instance);
  }
  return torch::matmul(nouns.transpose(1, 2), said);
}

}  // namespace conceptd::pretrain
