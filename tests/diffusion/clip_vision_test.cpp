// Goal: the image encoder says what transformers' CLIPVisionModelWithProjection says, and sees what its processor shows
// it.
#include "diffusion/clip_vision.h"

#include <gtest/gtest.h>

#include "tests/diffusion/golden_models.h"
#include "tests/support/expect_error.h"

namespace conceptd::diffusion {
namespace {

ClipPreprocess golden_preprocess() {
  return ClipPreprocess::from_json(golden_json("tiny-sd/feature_extractor/preprocessor_config.json"));
}

TEST(ClipVision, GivesTheGoldenEmbeddings) {
  torch::NoGradGuard guard;
  const auto golden = golden_tensors("image_encoder.safetensors");
  auto model = golden_image_encoder();
  Adaptation frozen;
  const auto out = model(golden.at("pixel_values"), frozen, true);
  test::expect_close(out.image_embeds, golden.at("image_embeds"), kEncoderLimit, "image_embeds");
  test::expect_close(out.last_hidden_state, golden.at("last_hidden_state"), kEncoderLimit, "image last_hidden_state");
  ASSERT_EQ(static_cast<int64_t>(out.hidden_states.size()), model->config.num_hidden_layers + 1);
  for (std::size_t k = 0; k < out.hidden_states.size(); ++k) {
    const auto name = "hidden_states." + std::to_string(k);
    test::expect_close(out.hidden_states[k], golden.at(name), kEncoderLimit, "image " + name);
  }
}

TEST(ClipVision, PreprocessesAsTheGoldenProcessor) {
  torch::NoGradGuard guard;
  const auto golden = golden_tensors("image_encoder.safetensors");
  const auto pixels = golden_preprocess()(golden.at("preprocess.image_uint8_hwc"));
  test::expect_close(pixels, golden.at("preprocess.pixel_values"), 1e-6, "preprocess.pixel_values");
  Adaptation frozen;
  const auto embeds = golden_image_encoder()(pixels, frozen).image_embeds;
  test::expect_close(embeds, golden.at("preprocess.image_embeds"), kEncoderLimit, "preprocess.image_embeds");
}

TEST(ClipVision, PadsWhatIsSmallerThanTheCrop) {
  auto preprocess = ClipPreprocess::for_size(4);
  preprocess.resize = preprocess.normalize = preprocess.rescale = false;
  const auto picture = torch::full({3, 5, 3}, 9, torch::kByte);
  const auto pixels = preprocess(picture);
  ASSERT_EQ(pixels.sizes(), at::IntArrayRef({1, 3, 4, 4}));
  EXPECT_EQ(pixels[0][0].sum(1).count_nonzero().item<int64_t>(), 3);
  EXPECT_EQ(pixels.max().item<float>(), 9);
}

TEST(ClipVision, ResizingKeepsFlatPicturesFlatAndChecksItsInput) {
  const auto flat = torch::full({17, 9, 3}, 200, torch::kByte);
  for (const auto filter : {ResizeFilter::Lanczos, ResizeFilter::Bilinear, ResizeFilter::Bicubic}) {
    const auto resized = resize_picture(flat, 5, 31, filter);
    ASSERT_EQ(resized.sizes(), at::IntArrayRef({5, 31, 3}));
    EXPECT_TRUE((resized == 200).all().item<bool>());
  }
  EXPECT_TRUE(torch::equal(resize_picture(flat, 17, 9), flat));
  EXPECT_ERROR(resize_picture(flat.to(torch::kFloat), 5, 5), Code::invalid, "uint8");
  EXPECT_ERROR(resize_picture(flat, 0, 5), Code::invalid, "pixels a side");
  EXPECT_ERROR(resize_picture(flat, 5, 1 << 20), Code::invalid, "pixels a side");
  EXPECT_ERROR(golden_preprocess()(flat.slice(2, 0, 2)), Code::invalid, "(height, width, 3)");
}

TEST(ClipVision, ItsConfigurationsGoRoundAndNameWhatTheyCannotDo) {
  const auto json = golden_json("tiny-sd/image_encoder/config.json");
  const auto config = ClipVisionConfig::from_json(json);
  EXPECT_EQ(ClipVisionConfig::from_json(config.to_json()).to_json(), config.to_json());
  const auto preprocess = golden_preprocess();
  EXPECT_EQ(ClipPreprocess::from_json(preprocess.to_json()).to_json(), preprocess.to_json());
  auto changed = json;
  changed["patch_size"] = 0;
  EXPECT_ERROR(ClipVisionConfig::from_json(changed), Code::invalid, "patch_size");
  auto broken = preprocess.to_json();
  broken["size"] = {{"shortest_edge", "big"}};
  EXPECT_ERROR(ClipPreprocess::from_json(broken), Code::invalid, "size");
  broken = preprocess.to_json();
  broken["image_std"] = {1, 0, 1};
  EXPECT_ERROR(ClipPreprocess::from_json(broken), Code::invalid, "image_std");
  Adaptation frozen;
  EXPECT_ERROR(golden_image_encoder()(torch::zeros({1, 3, 5, 5}), frozen), Code::invalid, "pixels must be");
}

}  // namespace
}  // namespace conceptd::diffusion
