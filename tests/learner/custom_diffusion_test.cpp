// Goal: Custom Diffusion is what people use for several concepts in one model. Method: short runs on the real base,
// looked at from outside.
#include "learner/custom_diffusion/custom_diffusion.h"

#include <gtest/gtest.h>

#include "diffusion/delta.h"
#include "diffusion/prompt.h"
#include "diffusion/text_to_image.h"
#include "embedded_base.h"

namespace conceptd::learner {
namespace {

const nlohmann::json kShort{{"steps", 3}, {"batch", 4}, {"prior_pictures", 2}, {"preview_every", 0}};

Learned learn(nlohmann::json settings = kShort) {
  LearnContext context{.bundle = embedded_base()};
  return make_learner("custom_diffusion")->learn(request_for(20, settings), context);
}

TEST(CustomDiffusion, LearnsKeysValuesAndAWordAndLeavesEveryByteOfTheBaseAlone) {
  auto& base = embedded_base();
  const auto before = base.parameter_digest();
  const auto learned = learn();
  EXPECT_EQ(before, base.parameter_digest());
  const auto delta_base = diffusion::DeltaBase::of(base, nullptr);
  int64_t values = 0, expected = 2 * delta_base.text_width;
  for (const auto* sites : {&delta_base.key_sites, &delta_base.value_sites}) {
    for (const auto& [site, out] : *sites) expected += out * delta_base.text_width;
  }
  for (const auto& [name, tensor] : learned.delta.tensors) {
    values += tensor.numel();
    EXPECT_GT(tensor.abs().max().item<double>(), 0) << name;
  }
  EXPECT_EQ(values, expected);
  EXPECT_EQ(learned.metrics.at("unet_passes"), kGuessingPasses + 2 * 25 * 2 + 2 * 3 * 4);
}

TEST(CustomDiffusion, FitsThePhotos) {
  const auto learned = learn({{"steps", 30}, {"batch", 8}, {"prior_weight", 0}, {"rate", .001}, {"preview_every", 0}});
  EXPECT_LT(learned.metrics.at("loss_last").get<double>(), .985 * learned.metrics.at("loss_first").get<double>());
}

TEST(CustomDiffusion, SameSeedSameDeltaSamePictureAfterStoring) {
  auto& base = embedded_base();
  const auto learned = learn();
  const auto bytes = diffusion::delta_bytes(learned.delta);
  EXPECT_EQ(bytes, diffusion::delta_bytes(learn().delta));
  const auto picture = [&](const diffusion::Delta& delta) {
    const auto edits = std::make_shared<const diffusion::EditSet>(
        diffusion::delta_edits(delta, diffusion::DeltaBase::of(base, nullptr)));
    const auto prompt = diffusion::prepare_prompt(base, "a <thing-1> on the beach", edits);
    EXPECT_EQ(prompt.positions.at("<thing-1>").size(), 2u);  // the modifier and the class word
    diffusion::PictureRow row{.context = prompt.context, .edits = prompt.edits, .seed = 3};
    row.negative_context = diffusion::prepare_prompt(base, "").context;
    diffusion::Steering none;
    return diffusion::text_to_image(base, {.rows = {row}, .sampler = "ddim", .steps = 3}, none);
  };
  EXPECT_TRUE(torch::equal(picture(learned.delta), picture(diffusion::parse_delta(bytes, "test"))));
}

TEST(CustomDiffusion, NamesASettingThatItDoesNotHave) {
  try {
    CustomDiffusionSettings::from_json({{"rank", 3}});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::invalid);
  }
}

}  // namespace
}  // namespace conceptd::learner
