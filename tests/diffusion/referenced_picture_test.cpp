// Goal: the loop with references is the loop without where nothing of them may be seen, repeats bit for bit, and leaves
// the base as it was. Method: the goldens' random MM-DiTs.
#include "diffusion/referenced_picture.h"

#include <gtest/gtest.h>

#include "diffusion/text_to_image.h"
#include "diffusion/weights.h"
#include "tests/diffusion/golden_flux.h"
#include "tests/support/expect_error.h"

namespace conceptd::diffusion {
namespace {

class ReferencedPicture : public testing::TestWithParam<std::string> {
 protected:
  ReferencedPicture() {
    torch::manual_seed(12);
    AutoencoderKLConfig config;
    config.block_out_channels = {8, 8}, config.norm_groups = 4, config.layers_per_block = 1;
    config.latent_channels = bundle.transformer->config.in_channels / 4;
    bundle.vae = AutoencoderKL(config);
    bundle.scheduler_config = golden_json(GetParam() + "/scheduler/scheduler_config.json");
    const auto text = bundle.transformer->config.joint_attention_dim;
    const auto pooled = bundle.transformer->config.pooled_projection_dim;
    request.context = torch::randn({6, text}), request.pooled = torch::randn({pooled});
    request.negative_context = torch::randn({6, text}), request.negative_pooled = torch::randn({pooled});
    for (int k = 0; k < 2; ++k)
      request.references.push_back({torch::randn({config.latent_channels, 4, 4}), torch::randn({2, text}), {}});
    request.steps = 3, request.height = 12, request.width = 16, request.guidance = 2, request.seed = 5;
  }
  Tensor run() {
    Steering none;
    return denoise_with_references(bundle, request, none);
  }
  ModelBundle bundle{.folder = {},
                     .tokenizer = ClipTokenizer(R"({"<|startoftext|>": 0, "<|endoftext|>": 1})", "#version: 0.2\n"),
                     .transformer = golden_flux(GetParam())};
  ReferencedRequest request;
};
INSTANTIATE_TEST_SUITE_P(Golden, ReferencedPicture, testing::Values("tiny-flux-dev", "tiny-flux-schnell"),
                         [](const auto& model) { return model.param == "tiny-flux-dev" ? "dev" : "schnell"; });

TEST_P(ReferencedPicture, RepeatsBitForBitAndLeavesTheBaseAlone) {
  const auto before = parameter_digest(*bundle.transformer);
  const auto first = run();
  EXPECT_EQ(first.sizes(), (at::IntArrayRef{1, bundle.vae->config.latent_channels, 6, 8}));
  EXPECT_TRUE(torch::equal(run(), first));
  request.references[1].latents = -request.references[1].latents;
  EXPECT_GT((run() - first).abs().max().item<double>(), 1e-4);
  EXPECT_EQ(parameter_digest(*bundle.transformer), before);
}

TEST_P(ReferencedPicture, WhatMayNotBeSeenIsNotThere) {
  PictureRow row{.context = request.context,
                 .negative_context = request.negative_context,
                 .pooled = request.pooled,
                 .negative_pooled = request.negative_pooled,
                 .seed = request.seed,
                 .guidance = request.guidance};
  Steering none;
  const auto alone =
      denoise(bundle, {.rows = {row}, .steps = request.steps, .height = request.height, .width = request.width}, none);
  request.routing.source = GateSource::given, request.routing.empty = EmptyCell::strict;
  request.routing.given = torch::full({1, 12}, -1, torch::kLong);
  EXPECT_LE((run() - alone).abs().max().item<double>(), 1e-4);
  request.references.clear();
  request.routing = {.dynamic = false};
  EXPECT_LE((run() - alone).abs().max().item<double>(), 1e-4);
}

TEST_P(ReferencedPicture, RefusesWhatItCannotMake) {
  const auto refused = [&](const char* field, auto change) {
    const auto kept = request;
    change(request);
    EXPECT_ERROR(run(), Code::invalid, field);
    request = kept;
  };
  refused("steps", [](auto& r) { r.steps = 0; });
  refused("height", [](auto& r) { r.height = 10; });
  refused("width", [](auto& r) { r.width = 1 << 20; });
  refused("guidance", [](auto& r) { r.guidance = 1e6; });
  refused("context", [](auto& r) { r.context = Tensor(); });
  refused("context", [](auto& r) { r.pooled = r.pooled.slice(0, 1); });
  refused("references", [](auto& r) { r.references[0].latents = torch::zeros({1, 3, 3}); });
  refused("ungated", [](auto& r) { r.routing.ungated = -1; });
  if (!bundle.transformer->config.guidance_embeds)
    refused("negative_context", [](auto& r) { r.negative_context = Tensor(); });
  bundle.transformer = nullptr;
  EXPECT_ERROR(run(), Code::invalid, "base");
}

}  // namespace
}  // namespace conceptd::diffusion
