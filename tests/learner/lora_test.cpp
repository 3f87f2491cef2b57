// Goal: DreamBooth-LoRA is what people use elsewhere. Method: short runs on the real base, looked at from outside.
#include "learner/lora/lora.h"

#include <gtest/gtest.h>

#include "diffusion/delta.h"
#include "diffusion/edits/edited.h"
#include "diffusion/prompt.h"
#include "diffusion/text_to_image.h"
#include "embedded_base.h"

namespace conceptd::learner {
namespace {
using diffusion::Edited;
using diffusion::EditSet;

const nlohmann::json kShort{{"steps", 4}, {"batch", 4}, {"prior_pictures", 2}, {"preview_every", 0}};

Learned learn(nlohmann::json settings = kShort) {
  LearnContext context{.bundle = embedded_base()};
  return make_learner("lora")->learn(request_for(20, settings), context);
}

std::shared_ptr<const EditSet> edits_of(const diffusion::Delta& delta) {
  return std::make_shared<const EditSet>(
      diffusion::delta_edits(delta, diffusion::DeltaBase::of(embedded_base(), nullptr)));
}

TEST(Lora, LeavesEveryByteOfTheBaseAlone) {
  const auto before = embedded_base().parameter_digest();
  learn();
  EXPECT_EQ(before, embedded_base().parameter_digest());
  for (const auto& parameter : embedded_base().unet->parameters()) EXPECT_FALSE(parameter.grad().defined());
}

TEST(Lora, StandsAtEveryAttentionProjectionAndTakesTheBytesOfItsArithmetic) {  // 2 c + sum r (in + out)
  const auto learned = learn();
  int64_t values = 0, expected = 2 * embedded_base().text_encoder->config.hidden_size, attentions = 0, sites = 0;
  for (const auto& [name, tensor] : learned.delta.tensors) values += tensor.numel();
  for (const auto& item : embedded_base().unet->named_modules("", false)) {
    if (dynamic_cast<diffusion::AttentionImpl*>(item.value().get())) ++attentions;
    auto* linear = dynamic_cast<diffusion::AdaptedLinearImpl*>(item.value().get());
    if (!linear || !learned.delta.tensors.contains(diffusion::kDownPrefix + item.key())) continue;
    expected += 4 * (linear->matrix().size(0) + linear->matrix().size(1)), ++sites;
  }
  EXPECT_EQ(sites, 4 * attentions);
  EXPECT_EQ(values, expected);
}

TEST(Lora, BeginsAsTheBase) {  // up is zero: one step at no rate changes nothing
  auto settings = kShort;
  settings["rate"] = 0;
  const auto learned = learn(settings);
  for (const auto& [name, tensor] : learned.delta.tensors) {
    const double largest = tensor.abs().max().item<double>();
    if (name.starts_with(diffusion::kUpPrefix)) {
      EXPECT_EQ(largest, 0) << name;
    } else {
      EXPECT_GT(largest, 0) << name;
    }
  }
  EXPECT_EQ(learned.metrics.at("loss_first"), learned.metrics.at("loss_last"));
}

TEST(Lora, FitsThePhotosAndSaysWhatThePriorCosts) {
  const auto learned = learn({{"steps", 30}, {"batch", 8}, {"prior_weight", 0}, {"rate", .003}, {"preview_every", 0}});
  EXPECT_LT(learned.metrics.at("loss_last").get<double>(), .985 * learned.metrics.at("loss_first").get<double>());
  EXPECT_EQ(learned.metrics.at("unet_passes"), kGuessingPasses + 30 * 8);
  EXPECT_EQ(learn().metrics.at("unet_passes"), kGuessingPasses + 2 * 25 * 2 + 2 * 4 * 4);
}

TEST(Lora, ThePriorKeepsTheClassWhereItWas) {
  auto& base = embedded_base();
  auto settings = kShort;
  settings["steps"] = 30, settings["rate"] = .003, settings["prior_pictures"] = 4;
  const auto drift = [&](double weight) {  // of predictions for the class word alone
    settings["prior_weight"] = weight;
    const auto edits = edits_of(learn(settings).delta);
    torch::NoGradGuard guard;
    torch::manual_seed(9);
    const int64_t rows = 8, side = base.unet->config.sample_size;
    const auto x = torch::randn({rows, base.unet->config.in_channels, side, side});
    const auto t = torch::linspace(100, 900, rows).to(torch::kLong);
    const std::string word(world::shape_words()[static_cast<std::size_t>(world::held_out().at(20).instance.shape)]);
    const auto text = diffusion::prepare_prompt(base, "a " + word).context.unsqueeze(0).expand({rows, -1, -1});
    diffusion::Adaptation frozen;
    Edited adapt(Edited::Rows(static_cast<std::size_t>(rows), edits));
    return (base.unet(x, t, text, adapt) - base.unet(x, t, text, frozen)).pow(2).mean().item<double>();
  };
  EXPECT_LT(drift(2), drift(0));
}

TEST(Lora, SameSeedSameDeltaSamePictureAfterStoring) {
  auto& base = embedded_base();
  const auto learned = learn();
  const auto bytes = diffusion::delta_bytes(learned.delta);
  EXPECT_EQ(bytes, diffusion::delta_bytes(learn().delta));
  const auto picture = [&](const diffusion::Delta& delta) {
    const auto prompt = diffusion::prepare_prompt(base, "a <thing-1> on the beach", edits_of(delta));
    EXPECT_EQ(prompt.positions.at("<thing-1>").size(), 2u);  // identifier and class word
    diffusion::PictureRow row{.context = prompt.context, .edits = prompt.edits, .seed = 3};
    row.negative_context = diffusion::prepare_prompt(base, "").context;
    diffusion::Steering none;
    return diffusion::text_to_image(base, {.rows = {row}, .sampler = "ddim", .steps = 3}, none);
  };
  EXPECT_TRUE(torch::equal(picture(learned.delta), picture(diffusion::parse_delta(bytes, "test"))));
}

TEST(Lora, NamesASettingThatItDoesNotHave) {
  try {
    LoraSettings::from_json({{"alpha", 3}});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::invalid);
  }
}

}  // namespace
}  // namespace conceptd::learner
