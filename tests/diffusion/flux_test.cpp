// Goal: the MM-DiT says what diffusers' FluxTransformer2DModel says, whole and in its parts, with and without guidance
// embedding, and with a low-rank adapter answered through the seam. Method: the goldens' models, shapes and settings
// from the files; an adaptation looks at what blocks read and say.
#include "diffusion/flux_transformer.h"

#include <gtest/gtest.h>

#include "diffusion/edits/edited.h"
#include "diffusion/weights.h"
#include "tests/diffusion/golden_flux.h"
#include "tests/support/expect_error.h"

namespace conceptd::diffusion {
namespace {

class Flux : public testing::TestWithParam<std::string> {
 protected:
  Tensor at(const std::string& name) const { return golden.at(name); }
  TensorMap golden = golden_tensors(GetParam() + "/golden.safetensors");
  FluxTransformer2DModel model = golden_flux(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Golden, Flux, testing::Values("tiny-flux-dev", "tiny-flux-schnell"),
                         [](const auto& model) { return model.param == "tiny-flux-dev" ? "dev" : "schnell"; });

TEST_P(Flux, GivesTheGoldenOutputs) {
  const torch::NoGradGuard guard;
  for (const auto& name : golden_flux_cases(golden)) {
    Adaptation frozen;
    test::expect_close(model(golden_flux_input(golden, name), frozen), at(name + "out"), kNetworkLimit,
                       GetParam() + " " + name + "out");
  }
}

TEST_P(Flux, GivesTheGoldenIntermediates) {
  const torch::NoGradGuard guard;
  for (const auto& name : golden_flux_cases(golden)) {
    const auto in = golden_flux_input(golden, name);
    Adaptation frozen;
    const auto expect = [&](const Tensor& value, const std::string& part) {
      test::expect_close_or_relative(value, at(name + part), kNetworkLimit, GetParam() + " " + name + part);
    };
    const auto condition = model->time_text_embed(in, frozen);
    expect(condition.squeeze(1), "time_text_embed");
    const FluxModulation modulation{torch::silu(condition), {}, {}, {}};
    JointTokens x{model->x_embedder(in.image, frozen), model->context_embedder(in.text, frozen)};
    expect(x.image, "x_embedder");
    expect(x.text, "context_embedder");
    const auto rotary = rotary_of(torch::cat({in.text_ids, in.image_ids}), model->config.axes_dims_rope);
    const auto turns = at(name + "pos_embed");  // (b, 1, s, d/2, 2, 2), all rows of the batch alike
    const auto matrix = torch::stack({rotary.cos, -rotary.sin, rotary.sin, rotary.cos}, -1).unflatten(-1, {2, 2});
    expect(matrix.expand_as(turns), "pos_embed");
    for (std::size_t k = 0; k < model->transformer_blocks->size(); ++k) {
      x = model->transformer_blocks->at<FluxTransformerBlockImpl>(k).forward(x, modulation, rotary, frozen);
      const auto block = "transformer_blocks." + std::to_string(k);
      expect(x.image, block + ".hidden_states");
      expect(x.text, block + ".encoder_hidden_states");
    }
    auto all = torch::cat({x.text, x.image}, 1);
    for (std::size_t k = 0; k < model->single_transformer_blocks->size(); ++k) {
      auto& block = model->single_transformer_blocks->at<FluxSingleTransformerBlockImpl>(k);
      expect(all = block.forward(all, modulation, rotary, frozen), "single_transformer_blocks." + std::to_string(k));
    }
    const auto parts = model->norm_out(modulation.condition, Tensor(), frozen);
    expect(modulated(all.slice(1, x.text.size(1)), parts[1], parts[0]), "norm_out");
  }
}

TEST_P(Flux, IsAdaptedThroughTheSeamAsItsAdapterSays) {
  const torch::NoGradGuard guard;
  const auto before = parameter_digest(*model);
  const auto adapter = load_safetensors(test::golden(GetParam() + "/lora.safetensors"));
  int replayed = 0;
  for (const auto& [key, expected] : golden) {  // "lora.scale0.5.case1.out"
    const std::string prefix = "lora.scale";
    if (!key.starts_with(prefix)) continue;
    const auto from = key.find("case");
    const double scale = std::stod(key.substr(prefix.size(), from - prefix.size()));
    auto set = std::make_shared<EditSet>();
    for (const auto& [name, down] : adapter) {
      const std::string first = "transformer.", last = ".lora_A.weight";
      if (!name.ends_with(last)) continue;
      const auto site = name.substr(first.size(), name.size() - first.size() - last.size());
      set->sites[site].low_rank.push_back({down, adapter.at(first + site + ".lora_B.weight"), scale});
    }
    ASSERT_EQ(2 * set->sites.size(), adapter.size());
    const auto in = golden_flux_input(golden, key.substr(from, key.size() - from - 3));
    Edited edited(Edited::Rows(static_cast<std::size_t>(in.image.size(0)), set));
    test::expect_close(model(in, edited), expected, kNetworkLimit, GetParam() + " " + key);
    ++replayed;
  }
  EXPECT_GT(replayed, 0);
  EXPECT_EQ(parameter_digest(*model), before);
}

// Counts what is asked; `attends` has what softmax saw.
struct Asked : Recorder {
  JointTokens attend_jointly(FluxAttentionImpl& attention, const JointTokens& x, const Rotary& rotary) override {
    joint.insert(attention.site.path);
    return Recorder::attend_jointly(attention, x, rotary);
  }
  std::set<std::string> joint;
};

TEST_P(Flux, AsksAtEveryLinearLayerAndEveryAttention) {
  const torch::NoGradGuard guard;
  const auto in = golden_flux_input(golden, golden_flux_cases(golden).at(0));
  Asked asked;
  Adaptation frozen;
  EXPECT_TRUE(torch::equal(model(in, asked), model(in, frozen)));
  std::set<std::string> attentions;
  const auto parameters = model->named_parameters();
  std::size_t layers = 0;
  for (const auto& item : model->named_modules("", false)) {
    if (const auto* attention = dynamic_cast<const FluxAttentionImpl*>(item.value().get())) {
      EXPECT_EQ(attention->site.path, item.key());
      attentions.insert(item.key());
    }
    const auto* linear = dynamic_cast<const AdaptedLinearImpl*>(item.value().get());
    if (!linear) continue;
    EXPECT_TRUE(parameters.contains(linear->site.path + ".weight")) << item.key();
    EXPECT_TRUE(asked.outputs.contains(item.key())) << item.key();
    ++layers;
  }
  EXPECT_EQ(asked.outputs.size(), layers);
  EXPECT_EQ(asked.joint, attentions);
  EXPECT_EQ(asked.attends.size(), attentions.size());
  for (const auto& [path, attend] : asked.attends) EXPECT_EQ(attend.query.size(2), in.text.size(1) + in.image.size(1));
}

struct Masked : Adaptation {
  void route(const Site&, Attend& attend) override { attend.bias = bias, attend.parts = parts; }
  Tensor bias;
  std::vector<AttendPart> parts;
};

TEST_P(Flux, AMaskOfNothingChangesNothingAndPartsAreAMask) {  // A12-1
  const torch::NoGradGuard guard;
  const auto in = golden_flux_input(golden, golden_flux_cases(golden).at(0));
  const auto s = in.text.size(1) + in.image.size(1), half = s / 2;
  Adaptation frozen;
  const auto plain = model(in, frozen);
  Masked masked;
  masked.bias = torch::zeros({s, s});
  EXPECT_TRUE(torch::allclose(model(in, masked), plain, 1e-6, 1e-6));
  masked.bias.slice(0, 0, half).slice(1, half).fill_(-INFINITY);  // the first half sees itself, the others all
  const auto biased = model(in, masked);
  EXPECT_GT((biased - plain).abs().max().item<double>(), 1e-3);
  masked.bias = Tensor();
  masked.parts = {{torch::arange(half, s), {}}, {torch::arange(half), torch::arange(half)}};
  test::expect_close(model(in, masked), biased, 1e-5, GetParam() + " parts beside a bias");
}

TEST_P(Flux, TokensAreModulatedAsTheySay) {
  const torch::NoGradGuard guard;
  auto in = golden_flux_input(golden, golden_flux_cases(golden).at(0));
  const auto l = in.image.size(1), n = in.text.size(1), b = in.image.size(0);
  Adaptation frozen;
  const auto plain = model(in, frozen);
  auto apart = in;
  apart.timestep = torch::stack({in.timestep, in.timestep.flip(0)}, 1);  // (b, 2)
  apart.image_modulation = torch::zeros({l}, torch::kLong);
  apart.text_modulation = torch::zeros({n}, torch::kLong);
  EXPECT_TRUE(torch::allclose(model(apart, frozen), plain, 1e-5, 1e-5));
  apart.image_modulation = torch::ones({l}, torch::kLong);
  apart.text_modulation = torch::ones({n}, torch::kLong);
  auto other = in;
  other.timestep = in.timestep.flip(0);
  EXPECT_TRUE(torch::allclose(model(apart, frozen), model(other, frozen), 1e-5, 1e-5));
  apart.pooled = in.pooled.unsqueeze(1).expand({b, 2, -1});
  EXPECT_TRUE(torch::allclose(model(apart, frozen), model(other, frozen), 1e-5, 1e-5));
  apart.answered = 3;
  EXPECT_TRUE(torch::allclose(model(apart, frozen), model(other, frozen).slice(1, 0, 3), 1e-5, 1e-5));
  apart.image_modulation = Tensor();
  EXPECT_ERROR(model(apart, frozen), Code::internal, "modulation");
}

TEST_P(Flux, PositionsAreRelative) {  // A12-14
  const torch::NoGradGuard guard;
  auto in = golden_flux_input(golden, golden_flux_cases(golden).at(0));
  Asked here, there;
  model(in, here);
  in.image_ids = in.image_ids + 5, in.text_ids = in.text_ids + 5;
  model(in, there);
  for (const auto& [path, attend] : here.attends) {
    const auto logits = [](const Attend& a) { return torch::matmul(a.query, a.key.transpose(-2, -1)); };
    EXPECT_TRUE(torch::allclose(logits(attend), logits(there.attends.at(path)), 1e-4, 1e-4)) << path;
    EXPECT_FALSE(torch::allclose(attend.query, there.attends.at(path).query, 1e-2, 1e-2)) << path;
  }
}

TEST_P(Flux, GradientsReachTheAdapterAloneAndFiniteDifferencesAgree) {
  const auto in = golden_flux_input(golden, golden_flux_cases(golden).at(0));
  const auto before = parameter_digest(*model);
  const std::string site = "transformer_blocks.0.attn.to_k";
  const auto w = model->config.width();
  torch::manual_seed(3);
  const auto down = torch::randn({2, w}) / 4, direction = torch::randn({w, 2});
  const auto loss_at = [&](const Tensor& up) {
    auto set = std::make_shared<EditSet>();
    set->sites[site].low_rank.push_back({down, up, 1});
    Edited edited(Edited::Rows(static_cast<std::size_t>(in.image.size(0)), set));
    return model(in, edited).pow(2).mean();
  };
  const auto up = torch::zeros({w, 2}).requires_grad_();
  loss_at(up).backward();
  const double slope = (up.grad() * direction).sum().item<double>(), step = 1e-2;
  const torch::NoGradGuard guard;
  const double measured =
      (loss_at(step * direction).item<double>() - loss_at(-step * direction).item<double>()) / (2 * step);
  EXPECT_NEAR(measured, slope, .02 * std::abs(slope) + 1e-4);
  EXPECT_GT(std::abs(slope), 1e-4);
  for (const auto& parameter : model->parameters()) EXPECT_FALSE(parameter.grad().defined());
  EXPECT_EQ(parameter_digest(*model), before);
}

TEST(FluxConfiguration, GoesRoundAndNamesWhatItCannotDo) {
  const auto json = golden_json("tiny-flux-dev/transformer/config.json");
  const auto config = FluxConfig::from_json(json);
  EXPECT_EQ(FluxConfig::from_json(config.to_json()).to_json(), config.to_json());
  const std::vector<std::pair<const char*, Json>> refused{{"axes_dims_rope", {4, 4, 4}},
                                                          {"axes_dims_rope", {15, 1}},
                                                          {"axes_dims_rope", "all"},
                                                          {"axes_dims_rope", {3, 5, 8}},
                                                          {"patch_size", 2},
                                                          {"num_layers", -1},
                                                          {"num_attention_heads", 0},
                                                          {"in_channels", 1 << 20},
                                                          {"out_channels", 1},
                                                          {"guidance_embeds", 1},
                                                          {"_class_name", "SD3Transformer2DModel"},
                                                          {"a_new_field", 1}};
  for (const auto& [key, value] : refused) {
    auto changed = json;
    changed[key] = value;
    EXPECT_ERROR(FluxConfig::from_json(changed), Code::invalid, key);
  }
}

}  // namespace
}  // namespace conceptd::diffusion
