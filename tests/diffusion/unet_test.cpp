// Goal: the UNet says what diffusers' UNet2DConditionModel says, whole, in its parts, and where an Adaptation answers.
#include "diffusion/unet_2d_condition.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/diffusion/golden_models.h"
#include "tests/support/expect_error.h"

namespace conceptd::diffusion {
namespace {

bool is_cross_attention(const std::string& path, const char* layer) {
  return path.ends_with(std::string(".attn2.") + layer);
}

TEST(UNet, GivesTheGoldenOutputs) {
  torch::NoGradGuard guard;
  const auto golden = golden_tensors("unet_forward.safetensors");
  auto unet = golden_unet();
  int cases = 0;
  for (const auto& [name, sample] : golden) {
    if (!name.ends_with(".sample")) continue;
    const auto prefix = name.substr(0, name.size() - 6);
    Adaptation frozen;
    const auto out = unet(sample, golden.at(prefix + "timestep"), golden.at(prefix + "encoder_hidden_states"), frozen);
    test::expect_close(out, golden.at(prefix + "out"), kNetworkLimit, "unet_forward " + prefix + "out");
    ++cases;
  }
  EXPECT_GT(cases, 0);
}

// Runs the model part by part; returns every part's output by the golden's name.
std::map<std::string, Tensor> parts(const Tensor& sample, const Tensor& timestep, const Tensor& context) {
  auto unet = golden_unet();
  const auto& config = unet->config;
  Recorder seen;
  std::map<std::string, Tensor> out;
  out["time_proj"] = timestep_features(timestep.expand({sample.size(0)}), config.block_out_channels[0],
                                       config.flip_sin_to_cos, config.freq_shift);
  out["time_embedding"] = unet->time_embedding(out["time_proj"], seen);
  const auto time = torch::silu(out["time_embedding"]);
  auto x = out["conv_in"] = convolve(unet->conv_in, sample);
  std::vector<Tensor> skips{x};
  for (std::size_t level = 0; level < unet->down_blocks->size(); ++level) {
    const auto name = "down_blocks." + std::to_string(level);
    auto& block = unet->down_blocks->at<UNetDownBlockImpl>(level);
    auto y = x;
    for (std::size_t k = 0; k < block.resnets->size(); ++k) {
      y = block.resnets->at<ResnetBlock2DImpl>(k).forward(y, time, seen);
      out[name + ".resnets." + std::to_string(k)] = y;
      if (!block.attentions) continue;
      y = block.attentions->at<Transformer2DModelImpl>(k).forward(y, context, seen);
      out[name + ".attentions." + std::to_string(k)] = y;
    }
    out[name] = x = block.forward(x, time, context, seen, skips);
  }
  out["mid_block"] = x = unet->mid_block(x, time, context, seen);
  for (std::size_t level = 0; level < unet->up_blocks->size(); ++level) {
    x = unet->up_blocks->at<UNetUpBlockImpl>(level).forward(x, time, context, seen, skips);
    out["up_blocks." + std::to_string(level)] = x;
  }
  out["conv_norm_out"] = group_norm(x, unet->conv_norm_out);
  out["out"] = out["conv_out"] = convolve(unet->conv_out, group_norm_silu(x, unet->conv_norm_out));
  for (const auto& [path, value] : seen.outputs) {
    out[path] = value;
    const std::string last = ".net.2";  // of a feed-forward
    if (path.ends_with(last)) out[path.substr(0, path.size() - last.size())] = value;
  }
  for (const auto& [path, value] : seen.inputs) {  // what goes into proj_out is the last transformer block's answer
    const std::string last = ".proj_out";
    if (!path.ends_with(last)) continue;
    const auto prefix = path.substr(0, path.size() - last.size()) + ".transformer_blocks.";
    int count = 0;
    while (seen.inputs.contains(prefix + std::to_string(count) + ".attn1.to_q")) ++count;
    out[prefix + std::to_string(count - 1)] = value;
  }
  return out;
}

TEST(UNet, GivesTheGoldenIntermediates) {
  torch::NoGradGuard guard;
  const auto golden = golden_tensors("unet_intermediates.safetensors");
  const auto out = parts(golden.at("sample"), golden.at("timestep"), golden.at("encoder_hidden_states"));
  const std::set<std::string> inputs{"sample", "timestep", "encoder_hidden_states"};
  for (const auto& [name, expected] : golden) {
    if (inputs.contains(name)) continue;
    ASSERT_TRUE(out.contains(name)) << name;
    test::expect_close_or_relative(out.at(name), expected, kNetworkLimit, "unet_intermediates " + name);
  }
}

TEST(UNet, GivesTheGoldenKeysValuesAndProbabilities) {
  torch::NoGradGuard guard;
  const auto golden = golden_tensors("unet_cross_attn_kv.safetensors");
  Recorder seen;
  const auto out = golden_unet()(golden.at("sample"), golden.at("timestep"), golden.at("encoder_hidden_states"), seen);
  test::expect_close(out, golden.at("out"), kNetworkLimit, "unet_cross_attn_kv out");
  int layers = 0;
  for (const auto& [name, expected] : golden) {
    if (is_cross_attention(name, "to_k") || is_cross_attention(name, "to_v")) {
      test::expect_close_or_relative(seen.outputs.at(name), expected, kNetworkLimit, name);
      ++layers;
    } else if (name.starts_with("probs.")) {
      const auto& attend = seen.attends.at(name.substr(6));
      const auto logits = torch::matmul(attend.query, attend.key.transpose(-2, -1));
      const auto probabilities = (logits / std::sqrt(static_cast<double>(attend.query.size(-1)))).softmax(-1);
      test::expect_close(probabilities[0], expected, kNetworkLimit, name);
    }
  }
  int expected_layers = 0;
  for (const auto& [path, value] : seen.outputs) {
    expected_layers += is_cross_attention(path, "to_k") || is_cross_attention(path, "to_v");
  }
  EXPECT_EQ(layers, expected_layers);
}

TEST(UNet, TakesKeysFromAnotherContextWhereAnAdaptationSaysSo) {
  torch::NoGradGuard guard;
  const auto golden = golden_tensors("unet_cross_attn_kv.safetensors");
  struct Split : Adaptation {
    Tensor linear(AdaptedLinearImpl& base, const Tensor& x) override {
      return base.plain(is_cross_attention(base.site.path, "to_k") ? context_for_k : x);
    }
    Tensor context_for_k;
  } split;
  split.context_for_k = golden.at("split.encoder_hidden_states_for_k");
  const auto out = golden_unet()(golden.at("sample"), golden.at("timestep"), golden.at("encoder_hidden_states"), split);
  test::expect_close(out, golden.at("split.out"), kNetworkLimit, "unet_cross_attn_kv split.out");
}

TEST(UNet, AddsRankOneWeightsWhereAnAdaptationSaysSo) {
  torch::NoGradGuard guard;
  struct RankOneSum : Adaptation {
    Tensor linear(AdaptedLinearImpl& base, const Tensor& x) override {
      const auto u = golden.find("rank1." + base.site.path + ".u"), v = golden.find("rank1." + base.site.path + ".v");
      if (u == golden.end()) return base.plain(x);
      return base.plain(x) + torch::matmul(x, v->second).unsqueeze(-1) * u->second;
    }
    TensorMap golden = golden_tensors("unet_cross_attn_kv.safetensors");
  } adapt;
  const auto& golden = adapt.golden;
  const auto out = golden_unet()(golden.at("sample"), golden.at("timestep"), golden.at("encoder_hidden_states"), adapt);
  test::expect_close(out, golden.at("rank1.out"), kNetworkLimit, "unet_cross_attn_kv rank1.out");
}

TEST(UNet, ItsConfigurationGoesRoundAndNamesWhatItCannotDo) {
  const auto json = golden_json("tiny-sd/unet/config.json");
  const auto config = UNetConfig::from_json(json);
  EXPECT_EQ(UNetConfig::from_json(config.to_json()).to_json(), config.to_json());
  const auto with = [&](const char* key, const Json& value) {
    auto changed = json;
    changed[key] = value;
    return changed;
  };
  const auto levels = config.block_out_channels.size();
  const std::vector<int64_t> heads(levels, 1);
  EXPECT_EQ(UNetConfig::from_json(with("attention_head_dim", heads)).heads, heads);
  EXPECT_EQ(UNetConfig::from_json(with("num_attention_heads", 2)).heads, std::vector<int64_t>(levels, 2));
  EXPECT_ERROR(UNetConfig::from_json(with("attention_head_dim", Json::array({1}))), Code::invalid,
               "attention_head_dim");
  std::vector<int64_t> layers(levels, 1);
  layers[0] = 3;
  const auto uneven = UNetConfig::from_json(with("layers_per_block", layers));
  EXPECT_EQ(uneven.layers_per_block, layers);
  EXPECT_EQ(uneven.to_json()["layers_per_block"], Json(layers));
  EXPECT_EQ(config.to_json()["layers_per_block"], json["layers_per_block"]);  // one number where one will do
  EXPECT_ERROR(UNetConfig::from_json(with("layers_per_block", Json::array({1}))), Code::invalid, "layers_per_block");
  EXPECT_ERROR(UNetConfig::from_json(with("class_embed_type", "timestep")), Code::invalid, "class_embed_type");
  EXPECT_ERROR(UNetConfig::from_json(with("addition_embed_type", "text")), Code::invalid, "addition_embed_type");
  EXPECT_ERROR(UNetConfig::from_json(with("act_fn", "gelu")), Code::invalid, "act_fn");
  EXPECT_ERROR(UNetConfig::from_json(with("norm_num_groups", 7)), Code::invalid, "norm_num_groups");
  EXPECT_ERROR(UNetConfig::from_json(with("block_out_channels", Json::array())), Code::invalid, "block_out_channels");
  EXPECT_ERROR(UNetConfig::from_json(with("block_out_channels", -3)), Code::invalid, "block_out_channels");
  EXPECT_ERROR(UNetConfig::from_json(with("down_block_types", {"AttnDownBlock2D", "x"})), Code::invalid, "down_block");
  EXPECT_ERROR(UNetConfig::from_json(with("cross_attention_dim", nullptr)), Code::invalid, "cross_attention_dim");
  EXPECT_ERROR(UNetConfig::from_json(with("a_new_field", 1)), Code::invalid, "a_new_field");
}

}  // namespace
}  // namespace conceptd::diffusion
