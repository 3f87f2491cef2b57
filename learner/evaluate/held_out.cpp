#include "learner/evaluate/held_out.h"

#include <algorithm>

#include "learner/pretrain/scenes.h"
#include "learner/pretrain/stages.h"
#include "learner/soft_mask.h"

namespace conceptd::evaluate {

namespace {
constexpr int kFresh = 8, kOthers = 7;
}  // namespace

HeldOutCase::HeldOutCase(int64_t at, int64_t photo_count)
    : index(at),
      name(world::held_out().at(static_cast<std::size_t>(at)).name),
      instance(world::held_out().at(static_cast<std::size_t>(at)).instance),
      random(pretrain::task_random(0xc0ce, at, 0)),
      first_seed(static_cast<std::uint64_t>(9000 + 100 * at)) {
  word = world::shape_words()[static_cast<std::size_t>(instance.shape)];
  description = world::describe(instance);
  for (int64_t k = 0; k < photo_count; ++k) scenes.push_back(world::photograph(instance, random));
  for (int k = 0; k < kFresh; ++k) fresh.push_back(world::photograph(instance, random));
  photos = pretrain::render_scenes(scenes);
}

learner::LearnRequest HeldOutCase::request(const nlohmann::json& settings) const {
  return {.name = name,
          .class_word = word,
          .photos = photos,
          .masks = learner::soft_masks(photos),
          .seed = first_seed,
          .settings = settings};
}

References HeldOutCase::references(Evaluator& judge) const {
  torch::NoGradGuard frozen;
  auto own_random = pretrain::task_random(0x0741e5, index, 0);
  const auto renders = pretrain::render_scenes(fresh);
  References references{{judge.net(renders).identity, {}}, judge.towers.of_pictures(renders)};
  std::vector<Tensor> others;
  for (int o = 0; o < kOthers; ++o) {
    const auto other = world::sample_sibling(instance, own_random);
    std::vector<world::Scene> pictures;
    for (std::size_t k = 0; k < fresh.size(); ++k) pictures.push_back(world::photograph(other, own_random));
    others.push_back(judge.net(pretrain::render_scenes(pictures)).identity);
  }
  references.identity.others = torch::stack(others);
  return references;
}

std::vector<int> HeldOutCase::places_beside() const {
  std::vector<int> places;
  for (int b = 0; b < static_cast<int>(world::background_words().size()); ++b) {
    const auto shows = [&](const world::Scene& photo) { return photo.background == b; };
    if (std::none_of(scenes.begin(), scenes.end(), shows)) places.push_back(b);
  }
  return places;
}

}  // namespace conceptd::evaluate
