// Goal: the encoder says what transformers' T5EncoderModel says, with and without padding.
#include "diffusion/t5_encoder.h"

#include <gtest/gtest.h>

#include "diffusion/weights.h"
#include "tests/diffusion/golden_models.h"
#include "tests/support/expect_error.h"

namespace conceptd::diffusion {
namespace {

T5EncoderModel golden_t5() {
  T5EncoderModel model(T5Config::from_json(golden_json("tiny-t5-encoder/config.json")));
  load_weights(*model, SafetensorsFile::open(test::golden("tiny-t5-encoder/model.safetensors")));
  return model;
}

TEST(T5Encoder, GivesTheGoldenStates) {
  const torch::NoGradGuard guard;
  const auto golden = golden_tensors("tiny-t5-encoder/golden.safetensors");
  auto model = golden_t5();
  Adaptation frozen;
  test::expect_close(model(golden.at("input_ids"), Tensor(), frozen), golden.at("last_hidden_state_no_mask"),
                     kNetworkLimit, "t5 without a mask");
  test::expect_close(model(golden.at("input_ids"), golden.at("attention_mask"), frozen),
                     golden.at("last_hidden_state_masked"), kNetworkLimit, "t5 with a mask");
  EXPECT_ERROR(model(torch::full({1, 2}, model->config.vocab_size, torch::kLong), Tensor(), frozen), Code::invalid,
               "table");
}

TEST(T5Encoder, AsksAtEveryLinearLayer) {
  const torch::NoGradGuard guard;
  auto model = golden_t5();
  Recorder seen;
  model(golden_tensors("tiny-t5-encoder/golden.safetensors").at("input_ids"), Tensor(), seen);
  std::size_t layers = 0;
  for (const auto& item : model->named_modules("", false)) {
    if (!dynamic_cast<const AdaptedLinearImpl*>(item.value().get())) continue;
    EXPECT_TRUE(seen.outputs.contains(item.key())) << item.key();
    ++layers;
  }
  EXPECT_EQ(seen.outputs.size(), layers);
}

TEST(T5Encoder, ItsConfigurationGoesRoundAndNamesWhatItCannotDo) {
  const auto json = golden_json("tiny-t5-encoder/config.json");
  const auto config = T5Config::from_json(json);
  EXPECT_EQ(T5Config::from_json(config.to_json()).to_json(), config.to_json());
  for (const auto& [key, value] : std::vector<std::pair<const char*, Json>>{{"feed_forward_proj", "relu"},
                                                                            {"num_heads", 0},
                                                                            {"relative_attention_num_buckets", 33},
                                                                            {"relative_attention_max_distance", 2},
                                                                            {"is_encoder_decoder", true},
                                                                            {"a_new_field", 1}}) {
    auto changed = json;
    changed[key] = value;
    EXPECT_ERROR(T5Config::from_json(changed), Code::invalid, key);
  }
}

}  // namespace
}  // namespace conceptd::diffusion
