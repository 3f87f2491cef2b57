// Goal: the text encoder says what transformers' CLIPTextModel says.
#include "diffusion/clip_text.h"

#include <gtest/gtest.h>

#include "tests/diffusion/golden_models.h"
#include "tests/support/expect_error.h"

namespace conceptd::diffusion {
namespace {

TEST(ClipText, GivesTheGoldenStates) {
  torch::NoGradGuard guard;
  const auto golden = golden_tensors("text_encoder.safetensors");
  auto model = golden_text_encoder();
  Adaptation frozen;
  const auto out = model->forward(golden.at("input_ids"), frozen, {.hidden_states = true});
  test::expect_close(out.last_hidden_state, golden.at("last_hidden_state"), kEncoderLimit, "text last_hidden_state");
  test::expect_close(out.pooled, golden.at("pooler_output"), kEncoderLimit, "text pooler_output");
  ASSERT_EQ(static_cast<int64_t>(out.hidden_states.size()), model->config.num_hidden_layers + 1);
  for (std::size_t k = 0; k < out.hidden_states.size(); ++k) {
    const auto name = "hidden_states." + std::to_string(k);
    test::expect_close(out.hidden_states[k], golden.at(name), kEncoderLimit, "text " + name);
  }
}

TEST(ClipText, LeavesOutTheLastLayer) {
  torch::NoGradGuard guard;
  const auto golden = golden_tensors("text_encoder.safetensors");
  Adaptation frozen;
  const auto out = golden_text_encoder()->forward(golden.at("input_ids"), frozen, {.clip_skip = 1});
  test::expect_close(out.last_hidden_state, golden.at("clip_skip_1"), kEncoderLimit, "text clip_skip_1");
}

TEST(ClipText, ReadsPlaceholderRowsBehindItsTable) {
  torch::NoGradGuard guard;
  const auto golden = golden_tensors("text_encoder.safetensors");
  Adaptation frozen;
  const ClipTextOptions options{.placeholder_rows = golden.at("extra.embeddings")};
  const auto out = golden_text_encoder()(golden.at("extra.input_ids"), frozen, options);
  test::expect_close(out.last_hidden_state, golden.at("extra.last_hidden_state"), kEncoderLimit, "text extra");
  test::expect_close(out.pooled, golden.at("extra.pooler_output"), kEncoderLimit, "text extra pooler_output");
}

ClipTextConfig tiny_config() {
  ClipTextConfig config;
  config.hidden_size = 8;
  config.intermediate_size = 16;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  config.vocab_size = 20;
  config.max_position_embeddings = 6;
  config.projection_dim = 5;
  return config;
}

TEST(ClipText, GradientsReachPlaceholderRowsAndNothingElse) {
  auto model = golden_text_encoder();
  const auto golden = golden_tensors("text_encoder.safetensors");
  const auto rows = golden.at("extra.embeddings").clone().requires_grad_();
  Adaptation frozen;
  model->forward(golden.at("extra.input_ids"), frozen, {.placeholder_rows = rows})
      .last_hidden_state.pow(2)
      .sum()
      .backward();
  EXPECT_GT(rows.grad().abs().sum(1).min().item<float>(), 0);
  for (const auto& parameter : model->parameters()) EXPECT_FALSE(parameter.grad().defined());
}

TEST(ClipText, PoolsAtTheFirstEndOfTextUnlessTheConfigurationIsLegacy) {
  torch::manual_seed(1);
  auto config = tiny_config();
  config.eos_token_id = 7;
  config.with_projection = true;
  ClipTextModel model(config);
  Adaptation frozen;
  const auto ids = torch::tensor({{3, 9, 7, 19, 7, 7}, {3, 7, 7, 7, 7, 7}});
  const auto out = model(ids, frozen);
  EXPECT_TRUE(torch::equal(out.pooled[0], out.last_hidden_state[0][2]));
  EXPECT_TRUE(torch::equal(out.pooled[1], out.last_hidden_state[1][1]));
  EXPECT_EQ(out.text_embeds.sizes(), at::IntArrayRef({2, 5}));
  model->config.eos_token_id = 2;
  EXPECT_TRUE(torch::equal(model(ids, frozen).pooled[0], out.last_hidden_state[0][3]));
}

TEST(ClipText, NobodyLooksAhead) {
  torch::manual_seed(1);
  ClipTextModel model(tiny_config());
  Adaptation frozen;
  const auto a = model(torch::tensor({{1, 2, 3, 4}}), frozen).last_hidden_state;
  const auto b = model(torch::tensor({{1, 2, 3, 9}}), frozen).last_hidden_state;
  EXPECT_TRUE(torch::allclose(a.slice(1, 0, 3), b.slice(1, 0, 3), 0, 1e-6));
  EXPECT_FALSE(torch::allclose(a.slice(1, 3), b.slice(1, 3), 0, 1e-3));
}

TEST(ClipText, RefusesIdsAndShapesItCannotRead) {
  ClipTextModel model(tiny_config());
  Adaptation frozen;
  EXPECT_ERROR(model(torch::tensor({{1, 20}}), frozen), Code::invalid, "token id 20");
  EXPECT_ERROR(model(torch::tensor({{-1, 2}}), frozen), Code::invalid, "token id");
  EXPECT_ERROR(model->forward(torch::tensor({{1, 22}}), frozen, {.placeholder_rows = torch::zeros({2, 8})}),
               Code::invalid, "22");
  EXPECT_ERROR(model(torch::zeros({1, 7}, torch::kLong), frozen), Code::invalid, "n up to 6");
  EXPECT_ERROR(model->forward(torch::tensor({{1, 2}}), frozen, {.placeholder_rows = torch::zeros({2, 9})}),
               Code::invalid, "(k, 8)");
  EXPECT_ERROR(model->forward(torch::tensor({{1, 2}}), frozen, {.clip_skip = 2}), Code::invalid, "clip_skip");
}

TEST(ClipText, ItsConfigurationGoesRoundAndNamesWhatItCannotDo) {
  const auto json = golden_json("tiny-sd/text_encoder/config.json");
  const auto config = ClipTextConfig::from_json(json);
  EXPECT_EQ(ClipTextConfig::from_json(config.to_json()).to_json(), config.to_json());
  const auto with = [&](const char* key, const Json& value) {
    auto changed = json;
    changed[key] = value;
    return changed;
  };
  EXPECT_ERROR(ClipTextConfig::from_json(with("hidden_act", "silu")), Code::invalid, "hidden_act");
  EXPECT_ERROR(ClipTextConfig::from_json(with("num_attention_heads", 7)), Code::invalid, "num_attention_heads");
  EXPECT_ERROR(ClipTextConfig::from_json(with("vocab_size", -1)), Code::invalid, "vocab_size");
  EXPECT_ERROR(ClipTextConfig::from_json(with("hidden_size", 1e30)), Code::invalid, "hidden_size");
  EXPECT_ERROR(ClipTextConfig::from_json(with("rotary", true)), Code::invalid, "rotary");
  EXPECT_ERROR(ClipTextConfig::from_json(with("architectures", {"T5", "T6"})), Code::invalid, "architectures");
  EXPECT_ERROR(ClipTextConfig::from_json(Json::array()), Code::invalid, "not a JSON object");
}

}  // namespace
}  // namespace conceptd::diffusion
