// Goal: the unrolled loop makes of an MM-DiT the latents that diffusers' FluxPipeline makes, step by step. Method:
// replay the goldens of both models from their embeddings and their noise; the README says that guidance is 3.5.
#include <gtest/gtest.h>

#include "core/file_io.h"
#include "diffusion/packed_latents.h"
#include "diffusion/text_to_image.h"
#include "tests/diffusion/golden_flux.h"
#include "tests/support/expect_error.h"

namespace conceptd::diffusion {
namespace {

constexpr double kLatentLimit = 1e-4;

// The goldens have no autoencoder; of this one only the shape is asked.
AutoencoderKL shape_of_latents(int64_t channels) {
  AutoencoderKLConfig config;
  config.block_out_channels = {8, 8}, config.norm_groups = 4, config.layers_per_block = 1;
  config.latent_channels = channels;
  return AutoencoderKL(config);
}

ModelBundle golden_flow_bundle(const std::string& name) {
  const auto text = read_file(test::golden(name + "/scheduler/scheduler_config.json"), 1 << 20);
  auto model = golden_flux(name);
  return {.folder = {},
          .tokenizer = ClipTokenizer(R"({"<|startoftext|>": 0, "<|endoftext|>": 1})", "#version: 0.2\n"),
          .transformer = model,
          .vae = shape_of_latents(model->config.in_channels / 4),
          .scheduler_config = parse_scheduler_config(text, "scheduler_config.json")};
}

TextToImageRequest golden_request(const ModelBundle& bundle, const TensorMap& golden) {
  const auto& noise = golden.at("pipeline.latents_unpacked");
  TextToImageRequest request{
      .steps = golden.at("pipeline.timesteps").size(0), .height = 2 * noise.size(2), .width = 2 * noise.size(3)};
  for (int64_t k = 0; k < noise.size(0); ++k) {
    request.rows.push_back({.context = golden.at("pipeline.prompt_embeds")[k],
                            .pooled = golden.at("pipeline.pooled")[k],
                            .guidance = bundle.transformer->config.guidance_embeds ? 3.5 : 1,
                            .noise = noise[k]});
  }
  return request;
}

class FlowPipeline : public testing::TestWithParam<std::string> {
 protected:
  TensorMap golden = golden_tensors(GetParam() + "/golden.safetensors");
  ModelBundle bundle = golden_flow_bundle(GetParam());
};
INSTANTIATE_TEST_SUITE_P(Golden, FlowPipeline, testing::Values("tiny-flux-dev", "tiny-flux-schnell"),
                         [](const auto& model) { return model.param == "tiny-flux-dev" ? "dev" : "schnell"; });

TEST_P(FlowPipeline, PacksAsTheGoldenAndBack) {  // A12-15
  const auto &in = golden.at("pack.in"), &out = golden.at("pack.out");
  EXPECT_TRUE(torch::equal(pack_latents(in), out));
  EXPECT_TRUE(torch::equal(unpack_latents(out, in.size(2), in.size(3)), in));
  const auto& latents = golden.at("pipeline.latents_unpacked");
  EXPECT_TRUE(torch::equal(pack_latents(latents), golden.at("pipeline.latents_packed")));
  EXPECT_TRUE(torch::equal(unpack_latents(golden.at("pipeline.final_packed"), latents.size(2), latents.size(3)),
                           golden.at("pipeline.final_unpacked")));
  EXPECT_ERROR(pack_latents(torch::zeros({1, 4, 3, 2})), Code::internal, "odd");
  const auto ids = patch_ids(4, 6, 10, 20);
  EXPECT_TRUE(torch::equal(ids[4], torch::tensor({0., 11., 21.}, torch::kFloat)));
}

TEST_P(FlowPipeline, TakesItsStepsWhereDiffusersDoes) {
  const auto steps = golden.at("pipeline.timesteps").size(0), tokens = golden.at("pipeline.latents_packed").size(1);
  const auto options = flux_sampler(bundle.scheduler_config, steps, tokens);
  // pipeline.mu is not what these sigmas were shifted by: it is of diffusers' default max_shift, 1.16, and they are of
  // the configuration's.
  EXPECT_EQ(options.mu.has_value(), bundle.scheduler_config.at("use_dynamic_shifting").get<bool>());
  const auto scheduler = make_scheduler(bundle.scheduler_config, {}, options);
  scheduler->set_timesteps(steps);
  test::expect_close(scheduler->sigmas(), golden.at("pipeline.sigmas"), 1e-6, GetParam() + " sigmas");
  test::expect_close_relative(scheduler->timesteps(), golden.at("pipeline.timesteps"), 1e-6, GetParam() + " timesteps");
}

class Recorded : public Steering {
 public:
  void before_step(Step& step) override {
    if (step.index > 0) packed.push_back(pack_latents(step.latents));
  }
  std::vector<Tensor> packed;  // after each step but the last
};

TEST_P(FlowPipeline, MakesTheLatentsThatDiffusersMakes) {
  Recorded steering;
  const auto latents = denoise(bundle, golden_request(bundle, golden), steering);
  test::expect_close_relative(latents, golden.at("pipeline.final_unpacked"), kLatentLimit, GetParam() + " latents");
  steering.packed.push_back(pack_latents(latents));
  test::expect_close_relative(torch::stack(steering.packed), golden.at("pipeline.steps_packed"), kLatentLimit,
                              GetParam() + " every step");
}

TEST_P(FlowPipeline, RefusesWhatItCannotMake) {
  Steering none;
  const auto refuse = [&](const char* field, auto change) {
    auto bad = golden_request(bundle, golden);
    change(bad);
    EXPECT_ERROR(denoise(bundle, bad, none), Code::invalid, field);
  };
  refuse("pooled", [](auto& r) { r.rows[0].pooled = Tensor(); });
  refuse("pooled", [](auto& r) { r.rows[0].pooled = r.rows[0].pooled.slice(0, 1); });
  refuse("context", [](auto& r) { r.rows[0].context = r.rows[0].context.slice(1, 1); });
  refuse("flow matching", [](auto& r) { r.sampler = "ddim"; });
  refuse("height", [](auto& r) { r.height += 2; });
  refuse("edits", [](auto& r) {
    auto set = std::make_shared<EditSet>();
    set->sites["transformer_blocks.0.attn.to_v"].residual.push_back({torch::ones({4}), {1}});
    r.rows[0].edits = set;
  });
  if (bundle.transformer->config.guidance_embeds) return;
  refuse("negative_context", [](auto& r) { r.rows[0].guidance = 2; });
  refuse("negative_pooled", [](auto& r) { r.rows[0].guidance = 2, r.rows[0].negative_context = r.rows[0].context; });
}

TEST_P(FlowPipeline, GuidesAgainstAnotherPromptWhereTheModelReadsNoGuidance) {
  Steering none;
  auto request = golden_request(bundle, golden);
  auto& row = request.rows[0];
  row.negative_context = row.context.flip(0), row.negative_pooled = -row.pooled;
  const auto alone = denoise(bundle, request, none);
  row.guidance = 4;
  const auto guided = denoise(bundle, request, none);
  EXPECT_GT((guided - alone).abs().max().item<double>(), 1e-4);
  row.negative_context = row.context, row.negative_pooled = row.pooled;
  const auto against_itself = denoise(bundle, request, none);
  const bool reads = bundle.transformer->config.guidance_embeds;
  test::expect_close(against_itself, reads ? guided : alone, 1e-4, "guided against itself, or by what it reads");
}

}  // namespace
}  // namespace conceptd::diffusion
