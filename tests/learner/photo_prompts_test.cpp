#include "learner/photo_prompts.h"

#include <gtest/gtest.h>

#include "embedded_base.h"
#include "learner/pretrain/scenes.h"
#include "learner/soft_mask.h"

namespace conceptd::learner {
namespace {

struct Photographed {
  PhotoLatents photos;
  std::string class_word;
};

// A held-out thing, once in each of these places.
Photographed photographed(std::span<const int> places) {
  const auto& held = world::held_out().at(3);
  world::Random random(5);
  std::vector<world::Scene> scenes;
  for (const int place : places) scenes.push_back(world::photograph(held.instance, random, place));
  const auto pictures = pretrain::render_scenes(scenes);
  return {encode_photos(embedded_base(), pictures, soft_masks(pictures)),
          std::string(world::shape_words()[static_cast<std::size_t>(held.instance.shape)])};
}

TEST(PhotoPrompts, SeeWhereAPhotoWasTaken) {
  auto base = diffusion::ModelBundle::open(embedded_base().folder);  // with all its places
  ASSERT_EQ(base.learning.places.size(), world::background_phrases().size());
  const std::vector<int> places{0, 1, 2, 3, 4, 5};
  const auto [photos, class_word] = photographed(places);
  const PhotoPrompts prompts(base, photos, diffusion::NoiseSchedule::from_json(base.scheduler_config), class_word, 1);
  const auto first = static_cast<int64_t>(base.learning.templates.size());
  int right = 0;
  for (std::size_t k = 0; k < places.size(); ++k)
    right += prompts.own_place()[static_cast<int64_t>(k)].item<int64_t>() == first + places[k];
  EXPECT_GE(right, 5);
}

TEST(PhotoPrompts, SayItInHalfOfTheRowsAndUseEveryTemplateInTheOthers) {
  auto& base = embedded_base();
  const std::vector<int> places{0, 6};
  const auto [photos, class_word] = photographed(places);
  const auto schedule = diffusion::NoiseSchedule::from_json(base.scheduler_config);
  const PhotoPrompts prompts(base, photos, schedule, class_word, 1);
  const auto templates = static_cast<int64_t>(base.learning.templates.size());
  auto random = torch::make_generator<at::CPUGeneratorImpl>(1);
  std::set<int64_t> used;
  for (int64_t step = 0; step < 2; ++step) {
    const auto draw = draw_step(photos, schedule, 16, random);
    const auto rows = prompts.rows(step, draw);
    int said = 0;
    for (int64_t k = 0; k < 16; ++k) {
      const auto row = rows[k].item<int64_t>();
      if (row < templates) {
        used.insert(row);
        continue;
      }
      ++said;
      EXPECT_EQ(row, prompts.own_place()[draw.photo[k].item<int64_t>()].item<int64_t>());
    }
    EXPECT_EQ(said, 8);
  }
  EXPECT_EQ(static_cast<int64_t>(used.size()), templates);
}

TEST(PhotoPrompts, AreTheTemplatesWhereABaseStatesNoPlaces) {
  auto base = diffusion::ModelBundle::open(embedded_base().folder);
  base.learning.places.clear();
  const auto [photos, class_word] = photographed(std::vector<int>{0, 6});
  const auto schedule = diffusion::NoiseSchedule::from_json(base.scheduler_config);
  const PhotoPrompts prompts(base, photos, schedule, class_word, 1, "{} " + class_word);
  EXPECT_FALSE(prompts.own_place().defined());
  EXPECT_EQ(prompts.all().ids.size(0), static_cast<int64_t>(base.learning.templates.size()));
  auto random = torch::make_generator<at::CPUGeneratorImpl>(1);
  const auto draw = draw_step(photos, schedule, 16, random);
  EXPECT_TRUE(torch::equal(prompts.rows(3, draw), template_rows(prompts.plain(), 3, 16)));
  // "<*> crown": the class word stands where the placeholder stood, and after it
  const auto& ids = prompts.all().class_ids;
  const auto at = prompts.all().position[0].item<int64_t>();
  EXPECT_EQ(ids[0][at].item<int64_t>(), ids[0][at + 1].item<int64_t>());
}

}  // namespace
}  // namespace conceptd::learner
