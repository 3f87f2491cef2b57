// Goal: a folder with transformer/ in the place of unet/ loads whole and frozen, or not at all, and then the message
// says where to look. Method: the goldens' folder with a small random MM-DiT, then one thing wrong at a time.
#include "diffusion/delta.h"
#include "diffusion/prompt.h"
#include "diffusion/text_to_image.h"
#include "diffusion/weights.h"
#include "tests/diffusion/base_folder.h"
#include "tests/support/expect_error.h"

namespace conceptd::diffusion {
namespace {
namespace fs = std::filesystem;

class FlowBase : public BaseFolder {
 protected:
  FlowBase() {
    fs::rename(folder / "unet", folder / "unet.kept");
    change_json("model_index.json", "unet", {nullptr, nullptr});
    change_json("model_index.json", "transformer", {"diffusers", "FluxTransformer2DModel"});
    fs::copy_file(test::golden("tiny-flux-schnell/scheduler/scheduler_config.json"),
                  folder / "scheduler/scheduler_config.json", fs::copy_options::overwrite_existing);
    auto config = FluxConfig::from_json(golden_json("tiny-flux-schnell/transformer/config.json"));
    const auto text = golden_text_encoder()->config.hidden_size;
    config.joint_attention_dim = config.pooled_projection_dim = text;
    config.in_channels = 4 * golden_vae()->config.latent_channels;
    torch::manual_seed(2);
    TensorMap tensors;
    for (const auto& item : FluxTransformer2DModel(config)->named_parameters())
      tensors[item.key()] = item.value().detach().clone();
    fs::create_directory(folder / "transformer");
    test::plant(folder / "transformer/config.json", config.to_json().dump());
    save_safetensors(folder / weights, tensors, {});
  }
  TextToImageRequest request(ModelBundle& bundle) const {
    const auto prompt = prepare_prompt(bundle, "a"), nothing = prepare_prompt(bundle, "");
    return {.rows = {{.context = prompt.context,
                      .negative_context = nothing.context,
                      .pooled = prompt.pooled,
                      .negative_pooled = nothing.pooled,
                      .seed = 4,
                      .guidance = 2}},
            .steps = 3,
            .height = 32,
            .width = 48};
  }
  const std::string weights = "transformer/diffusion_pytorch_model.safetensors";
};

TEST_F(FlowBase, LoadsFrozenAndDraws) {
  auto bundle = open();
  EXPECT_FALSE(bundle.unet);
  ASSERT_TRUE(bundle.transformer);
  for (const auto& parameter : bundle.transformer->parameters()) EXPECT_FALSE(parameter.requires_grad());
  EXPECT_FALSE(bundle.transformer->is_training());
  EXPECT_EQ(bundle.picture_side(), bundle.vae->config.sample_size);
  const auto before = bundle.parameter_digest();
  Steering none;
  const auto pixels = text_to_image(bundle, request(bundle), none);
  EXPECT_EQ(pixels.sizes(), (at::IntArrayRef{1, 32, 48, 3}));
  EXPECT_TRUE(torch::equal(text_to_image(bundle, request(bundle), none), pixels));
  EXPECT_EQ(bundle.parameter_digest(), before);
  const auto base = DeltaBase::of(bundle, nullptr);
  EXPECT_TRUE(base.key_sites.empty());  // no cross-attention
  EXPECT_TRUE(base.projections.contains("transformer_blocks.0.attn.to_out.0"));
  torch::NoGradGuard guard;
  bundle.transformer->x_embedder->bias[0] += 1;
  EXPECT_NE(bundle.parameter_digest(), before);
}

TEST_F(FlowBase, ComputesInHalfTheBitsNearby) {
  torch::NoGradGuard guard;
  auto bundle = open(), half = open(torch::kBFloat16);
  EXPECT_EQ(half.transformer->parameters()[0].scalar_type(), torch::kBFloat16);
  EXPECT_EQ(half.fingerprint, bundle.fingerprint);
  Steering none;
  const auto expected = denoise(bundle, request(bundle), none), found = denoise(half, request(half), none);
  EXPECT_EQ(found.scalar_type(), torch::kFloat);
  const auto error = ((found - expected).pow(2).mean() / expected.pow(2).mean()).sqrt().item<double>();
  std::printf("[ measured ] bf16 latents, relative rms error %.1e\n", error);
  EXPECT_LT(error, .06);
}

TEST_F(FlowBase, ItsFingerprintIsOfWhatItSays) {
  const auto before = open().fingerprint;
  change_weights(weights, [](TensorMap&) {});
  change_json("transformer/config.json", "_diffusers_version", "99");
  change_json("scheduler/scheduler_config.json", "shift", 2.5);
  EXPECT_EQ(open().fingerprint, before);
  change_weights(weights, [](TensorMap& tensors) { tensors.begin()->second.view({-1})[0] += 1; });
  EXPECT_NE(open().fingerprint, before);
}

TEST_F(FlowBase, NamesWhatIsMissingUnknownOrOfAnotherShape) {
  change_weights(weights, [](TensorMap& t) { t["surplus.weight"] = torch::ones({1}), t.erase("x_embedder.bias"); });
  EXPECT_ERROR(open(), Code::corrupt, "unknown keys surplus.weight");
  EXPECT_ERROR(open(), Code::corrupt, "lacks x_embedder.bias");
  change_weights(weights, [](TensorMap& t) { t.erase("surplus.weight"), t["x_embedder.bias"] = torch::ones({3}); });
  EXPECT_ERROR(open(), Code::corrupt, "'x_embedder.bias' has shape [3]");
  test::plant(folder / weights, "not tensors");
  EXPECT_ERROR(open(), Code::corrupt, weights);
  fs::rename(folder / weights, folder / "transformer/diffusion_pytorch_model.bin");
  EXPECT_ERROR(open(), Code::not_found, "convert them to safetensors");
  fs::remove(folder / "transformer/config.json");
  EXPECT_ERROR(open(), Code::not_found, "transformer/config.json");
}

TEST_F(FlowBase, NamesTheFieldThatIsNotSupported) {
  change_json("transformer/config.json", "axes_dims_rope", {2, 2, 2});
  EXPECT_ERROR(open(), Code::corrupt, "transformer/config.json: 'axes_dims_rope'");
}

TEST_F(FlowBase, NamesComponentsThatDoNotFit) {
  change_json("model_index.json", "text_encoder_2", {"transformers", "T5EncoderModel"});
  EXPECT_ERROR(open(), Code::corrupt, "'text_encoder_2'");
  change_json("model_index.json", "text_encoder_2", {nullptr, nullptr});
  open();
  change_json("model_index.json", "transformer", {"diffusers", "SD3Transformer2DModel"});
  EXPECT_ERROR(open(), Code::corrupt, "SD3Transformer2DModel");
  change_json("model_index.json", "transformer", {nullptr, nullptr});
  EXPECT_ERROR(open(), Code::corrupt, "no 'transformer'");
  fs::rename(folder / "unet.kept", folder / "unet");
  change_json("model_index.json", "unet", {"diffusers", "UNet2DConditionModel"});
  EXPECT_ERROR(open(), Code::corrupt, "the scheduler of a unet is not");
  change_json("model_index.json", "transformer", {"diffusers", "FluxTransformer2DModel"});
  EXPECT_ERROR(open(), Code::corrupt, "both a 'unet' and a 'transformer'");
}

TEST_F(FlowBase, NamesWidthsAndASchedulerThatDoNotFit) {
  const auto config = parse_json(test::contents(folder / "transformer/config.json"), "config");
  const auto refused = [&](const char* field, const char* layer, int64_t columns) {
    auto tensors = load_safetensors(folder / weights);
    const auto kept = tensors.at(layer);
    tensors[layer] = torch::zeros({kept.size(0), columns});
    save_safetensors(folder / weights, tensors, {});
    change_json("transformer/config.json", field, columns);
    EXPECT_ERROR(open(), Code::corrupt, field);
    change_json("transformer/config.json", field, config.at(field));
    tensors[layer] = kept;
    save_safetensors(folder / weights, tensors, {});
  };
  refused("joint_attention_dim", "context_embedder.weight", 40);
  refused("pooled_projection_dim", "time_text_embed.text_embedder.linear_1.weight", 40);
  open();
  change_json("scheduler/scheduler_config.json", "_class_name", "DDIMScheduler");
  EXPECT_ERROR(open(), Code::corrupt, "the scheduler of a transformer is FlowMatchEulerDiscreteScheduler");
}

}  // namespace
}  // namespace conceptd::diffusion
