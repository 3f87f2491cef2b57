// Goal: a folder in the diffusers layout loads whole and frozen, or not at all, and then the message says where to
// look. Method: the goldens' folder with a vocabulary of a few words (CLIP's own is not in this repository), then the
// same folder with one thing wrong at a time.
#include "diffusion/model_bundle.h"

#include <gtest/gtest.h>

#include "diffusion/weights.h"
#include "tests/diffusion/base_folder.h"
#include "tests/support/expect_error.h"

namespace conceptd::diffusion {
namespace {
namespace fs = std::filesystem;

class Base : public BaseFolder {
 protected:
  const std::string unet_weights = "unet/diffusion_pytorch_model.safetensors";
  const std::string text_weights = "text_encoder/model.safetensors";
};

TEST_F(Base, LoadsFrozenAndSaysTheGoldens) {
  torch::NoGradGuard guard;
  auto bundle = open();
  const auto golden = golden_tensors("unet_cross_attn_kv.safetensors");
  Adaptation frozen;
  const auto out = bundle.unet(golden.at("sample"), golden.at("timestep"), golden.at("encoder_hidden_states"), frozen);
  test::expect_close(out, golden.at("out"), kNetworkLimit, "bundle unet");
  for (auto& parameter : bundle.unet->parameters()) EXPECT_FALSE(parameter.requires_grad());
  EXPECT_FALSE(bundle.unet->is_training());
  EXPECT_EQ(bundle.first_placeholder_id(), bundle.text_encoder->config.vocab_size);
  EXPECT_TRUE(bundle.image_encoder);
  EXPECT_TRUE(bundle.warnings.empty());
  EXPECT_EQ(bundle.parameter_digest(), bundle.parameter_digest());
  bundle.unet->conv_in->bias[0] += 1;
  EXPECT_NE(bundle.parameter_digest(), open().parameter_digest());
}

TEST_F(Base, ComputesInHalfTheBitsNearby) {
  torch::NoGradGuard guard;
  auto bundle = open(torch::kBFloat16);
  EXPECT_EQ(bundle.unet->parameters()[0].scalar_type(), torch::kBFloat16);
  EXPECT_EQ(bundle.text_encoder->parameters()[0].scalar_type(), torch::kFloat);
  const auto golden = golden_tensors("unet_cross_attn_kv.safetensors");
  Adaptation frozen;
  const auto out = bundle.unet(golden.at("sample"), golden.at("timestep"), golden.at("encoder_hidden_states"), frozen);
  EXPECT_EQ(out.scalar_type(), torch::kFloat);
  const auto error = (out - golden.at("out")).pow(2).mean().sqrt() / golden.at("out").pow(2).mean().sqrt();
  std::printf("[ measured ] bf16 unet, relative rms error %.1e\n", error.item<double>());
  EXPECT_LT(error.item<double>(), 0.06);
  const auto vae = golden_tensors("vae.safetensors");
  const auto picture = bundle.vae->decode(vae.at("decode_in"));
  const auto vae_error =
      (picture - vae.at("decode_out")).pow(2).mean().sqrt() / vae.at("decode_out").pow(2).mean().sqrt();
  std::printf("[ measured ] bf16 vae decode, relative rms error %.1e\n", vae_error.item<double>());
  EXPECT_LT(vae_error.item<double>(), 0.06);
}

TEST_F(Base, ItsFingerprintIsOfWhatItSaysNotOfHowItIsStored) {
  const auto before = open().fingerprint;
  EXPECT_EQ(open(torch::kBFloat16).fingerprint, before);
  change_weights(unet_weights, [](TensorMap&) {});
  change_json("unet/config.json", "_diffusers_version", "99");
  change_json("scheduler/scheduler_config.json", "steps_offset", 0);
  EXPECT_EQ(open().fingerprint, before);
  change_weights(text_weights, [](TensorMap& tensors) { tensors.begin()->second.view({-1})[0] += 1; });
  const auto after = open().fingerprint;
  EXPECT_NE(after, before);
  change_json("scheduler/scheduler_config.json", "prediction_type", "v_prediction");
  EXPECT_NE(open().fingerprint, after);
}

TEST_F(Base, NamesKeysThatAreMissingUnknownOrOfAnotherShape) {
  change_weights(text_weights,
                 [](TensorMap& tensors) { tensors["text_model.embeddings.position_ids"] = torch::ones({1}); });
  open();  // tolerated
  change_weights(unet_weights, [](TensorMap& t) { t["surplus.weight"] = torch::ones({1}), t.erase("conv_in.bias"); });
  EXPECT_ERROR(open(), Code::corrupt, "unknown keys surplus.weight");
  EXPECT_ERROR(open(), Code::corrupt, "lacks conv_in.bias");
  change_weights(unet_weights, [](TensorMap& t) { t.erase("surplus.weight"), t["conv_in.bias"] = torch::ones({3}); });
  EXPECT_ERROR(open(), Code::corrupt, "'conv_in.bias' has shape [3]");
  change_weights(unet_weights,
                 [](TensorMap& t) { t["conv_in.bias"] = torch::ones({t.at("conv_in.weight").size(0)}, torch::kLong); });
  EXPECT_ERROR(open(), Code::corrupt, "'conv_in.bias' is not F16, BF16 or F32");
  EXPECT_ERROR(open(), Code::corrupt, unet_weights);
}

TEST_F(Base, ReadsTheOlderSpellingOfTheAutoencodersAttention) {
  const auto before = open().parameter_digest();
  change_weights("vae/diffusion_pytorch_model.safetensors", [](TensorMap& tensors) {
    TensorMap older;
    for (const auto& [key, tensor] : tensors) {
      auto name = key;
      for (const auto& [now, then] :
           {std::pair{"to_q", "query"}, {"to_k", "key"}, {"to_v", "value"}, {"to_out.0", "proj_attn"}}) {
        const auto at = name.find(std::string(".") + now + ".");
        if (at != name.npos) name.replace(at + 1, std::string(now).size(), then);
      }
      older[name] = tensor;
    }
    tensors = older;
  });
  EXPECT_EQ(open().parameter_digest(), before);
}

TEST_F(Base, NamesFilesThatAreMissingOrCannotBeRead) {
  EXPECT_ERROR(ModelBundle::open(folder / "none"), Code::not_found, "none");
  fs::rename(folder / unet_weights, folder / "unet/diffusion_pytorch_model.bin");
  EXPECT_ERROR(open(), Code::not_found, "convert them to safetensors");
  fs::rename(folder / "unet/diffusion_pytorch_model.bin", folder / "unet/diffusion_pytorch_model.fp16.safetensors");
  open();
  fs::remove(folder / "unet/config.json");
  EXPECT_ERROR(open(), Code::not_found, "unet/config.json");
  test::plant(folder / "unet/config.json", "{");
  EXPECT_ERROR(open(), Code::corrupt, "unet/config.json");
}

TEST_F(Base, NamesTheFieldThatIsNotSupported) {
  change_json("unet/config.json", "class_embed_type", "timestep");
  EXPECT_ERROR(open(), Code::corrupt, "unet/config.json: 'class_embed_type'");
  change_json("unet/config.json", "class_embed_type", nullptr);
  change_json("vae/config.json", "shift_factor", 0.1);
  EXPECT_ERROR(open(), Code::corrupt, "vae/config.json: 'shift_factor'");
}

TEST_F(Base, SaysWhatItDrawsBestWith) {
  const auto plain = open();
  EXPECT_EQ(plain.defaults.steps, 30);
  EXPECT_EQ(plain.defaults.guidance, 7.5);
  test::plant(folder / "generation.json", R"({"guidance_scale": 3.5, "num_inference_steps": 25})");
  const auto said = open();
  EXPECT_EQ(said.defaults.steps, 25);
  EXPECT_EQ(said.defaults.guidance, 3.5);
  EXPECT_EQ(said.fingerprint, plain.fingerprint);
  test::plant(folder / "generation.json", R"({"guidance_scale": -1})");
  EXPECT_ERROR(open(), Code::corrupt, "generation.json: 'guidance_scale'");
  test::plant(folder / "generation.json", R"({"temperature": 1})");
  EXPECT_ERROR(open(), Code::corrupt, "'temperature'");
}

TEST_F(Base, SaysWhatPromptsItWasTrainedOn) {
  EXPECT_TRUE(open().learning.templates.empty());
  test::plant(folder / "learning.json", R"({"templates": ["a {}", "a photo of a {}"]})");
  EXPECT_EQ(open().learning.templates, (std::vector<std::string>{"a {}", "a photo of a {}"}));
  EXPECT_TRUE(open().learning.places.empty());
  test::plant(folder / "learning.json", R"({"templates": ["a {}"], "places": ["on the beach"]})");
  EXPECT_EQ(open().learning.places, (std::vector<std::string>{"on the beach"}));
  EXPECT_EQ(open().learning.min_snr, 0);
  test::plant(folder / "learning.json", R"({"templates": ["a {}"], "min_snr": 5})");
  EXPECT_EQ(open().learning.min_snr, 5);
  for (const auto* wrong : {R"({"templates": ["{}"], "min_snr": "5"})", R"({"templates": ["{}"], "min_snr": -1})",
                            R"({"templates": "a {}"})", R"({"templates": ["a"]})", R"({"templates": ["{} {}"]})",
                            R"({"templates": ["{}"], "more": 1})", "[]", R"({"templates": ["{}"], "places": [1]})",
                            R"({"templates": ["{}"], "places": ["{}"]})", R"({"places": []})"}) {
    test::plant(folder / "learning.json", wrong);
    EXPECT_ERROR(open(), Code::corrupt, "learning.json");
  }
}

TEST_F(Base, NamesComponentsThatDoNotFit) {
  change_json("model_index.json", "text_encoder_2", {"transformers", "T5EncoderModel"});
  EXPECT_ERROR(open(), Code::corrupt, "'text_encoder_2'");
  change_json("model_index.json", "text_encoder_2", {nullptr, nullptr});
  change_json("model_index.json", "safety_checker", {"stable_diffusion", "StableDiffusionSafetyChecker"});
  change_json("model_index.json", "image_encoder", {nullptr, nullptr});
  const auto bundle = open();
  EXPECT_EQ(bundle.warnings.size(), 1u);
  EXPECT_FALSE(bundle.image_encoder);
  change_json("model_index.json", "unet", {"diffusers", "UNet3DConditionModel"});
  EXPECT_ERROR(open(), Code::corrupt, "UNet3DConditionModel");
  change_json("model_index.json", "unet", {nullptr, nullptr});
  EXPECT_ERROR(open(), Code::corrupt, "there is no 'unet'");
  test::plant(folder / "model_index.json", "[]");
  EXPECT_ERROR(open(), Code::corrupt, "model_index.json");
}

TEST_F(Base, OpensWithClipsOwnVocabulary) {
  SKIP_WITHOUT_CLIP_VOCABULARY();
  fs::copy(*test::clip_tokenizer_folder(), folder / "tokenizer",
           fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  const auto bundle = open();
  EXPECT_EQ(bundle.tokenizer.vocab_size(), bundle.first_placeholder_id());
}

}  // namespace
}  // namespace conceptd::diffusion
