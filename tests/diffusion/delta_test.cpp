// Goal: a delta survives storage bit for bit, has the size that the specification computes, and nothing that does not
// fit gets in.
// Method: a Perfusion delta of a small invented base goes out and in; then one thing at a time is wrong with it.
#include "diffusion/delta.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "diffusion/token_covariance.h"
#include "tests/support/expect_error.h"

namespace conceptd::diffusion {
namespace {

class DeltaDocument : public testing::Test {
 protected:
  static constexpr int64_t kWidth = 6;

  DeltaDocument() : covariance_(make_covariance()) {
    base_ = {.fingerprint = Digest::of("base"),
             .text_encoder_digest = Digest::of("text encoder"),
             .text_width = kWidth,
             .key_sites = {{"down.attn2.to_k", 4}, {"mid.attn2.to_k", 8}},
             .value_sites = {{"down.attn2.to_v", 4}, {"mid.attn2.to_v", 8}},
             .covariance = &covariance_};
  }
  static TokenCovariance make_covariance() {
    torch::manual_seed(5);
    const auto rows = torch::randn({64, kWidth});
    return TokenCovariance(torch::matmul(rows.t(), rows) / 64);
  }
  Delta of(const char* method) const {
    return {.method = method,
            .class_word = "kettle",
            .placeholder = "<kettle-7>",
            .base_fingerprint = base_.fingerprint,
            .text_encoder_digest = base_.text_encoder_digest};
  }
  Delta perfusion() const {
    Delta delta = of("perfusion");
    delta.covariance_digest = covariance_.digest();
    delta.settings = {{"steps", 400}, {"seed", 7}};
    delta.notes = {{"ss_steps", "400"}, {"conceptd.eval.identity", "0.71"}};
    delta.tensors = {{kWordTensor, torch::randn({1, kWidth})}, {kInputTensor, torch::randn({kWidth})}};
    for (const auto& [site, out] : base_.key_sites) delta.tensors[kKeyPrefix + site] = torch::randn({out});
    for (const auto& [site, out] : base_.value_sites) delta.tensors[kValuePrefix + site] = torch::randn({out});
    return delta;
  }
  Delta infusion(bool parity = false) const {
    Delta delta = of("infusion");
    delta.settings = {{"steps", 500}};
    for (const auto& [site, out] : base_.value_sites) delta.tensors[kValueResidualPrefix + site] = torch::randn({out});
    if (!parity) return delta;
    for (const auto& [site, out] : base_.key_sites) delta.tensors[kKeyResidualPrefix + site] = torch::randn({out});
    return delta;
  }
  Delta lora() {
    base_.projections = {{"mid.attn1.to_q", {8, 5}}, {"mid.attn2.to_out.0", {5, 8}}};
    Delta delta = of("lora");
    delta.tensors = {{kWordTensor, torch::randn({2, kWidth})},
                     {"down.mid.attn1.to_q", torch::randn({3, 5})},
                     {"up.mid.attn1.to_q", torch::randn({8, 3})}};
    return delta;
  }
  Delta custom_diffusion() const {
    Delta delta = of("custom_diffusion");
    delta.tensors = {{kWordTensor, torch::randn({2, kWidth})}};
    for (const auto* sites : {&base_.key_sites, &base_.value_sites}) {
      for (const auto& [site, out] : *sites) delta.tensors[kDifferencePrefix + site] = torch::randn({out, kWidth});
    }
    return delta;
  }
  // Stable Diffusion 1.5 as far as edits can see it.
  DeltaBase sd15() const {
    DeltaBase sd{.fingerprint = base_.fingerprint, .text_encoder_digest = base_.text_encoder_digest, .text_width = 768};
    const auto put = [&](const std::string& block, int blocks, int layers, int64_t first, int64_t factor) {
      for (int k = 0; k < blocks; ++k) {
        for (int layer = 0; layer < layers; ++layer) {
          const auto number = block.starts_with("up") ? std::to_string(k + 1) : std::to_string(k);
          const auto site = block + (block.starts_with("mid") ? "" : "." + number) + ".attentions." +
                            std::to_string(layer) + ".transformer_blocks.0.attn2.";
          sd.key_sites[site + "to_k"] = first, sd.value_sites[site + "to_v"] = first;
        }
        first = factor > 0 ? first * factor : first / 2;
      }
    };
    put("down_blocks", 3, 2, 320, 2);
    put("mid_block", 1, 1, 1280, 2);
    put("up_blocks", 3, 3, 1280, 0);
    return sd;
  }
  // The document with one header field changed, as somebody hostile would.
  static std::string with_metadata(const Delta& delta, const std::string& key, const std::string& value) {
    const auto file = SafetensorsFile::parse(delta_bytes(delta), "test");
    auto metadata = file.metadata();
    metadata[key] = value;
    return safetensors_bytes(file.tensors(), metadata);
  }
  static std::string with_tensor(const Delta& delta, const std::string& name, const Tensor& tensor) {
    const auto file = SafetensorsFile::parse(delta_bytes(delta), "test");
    auto tensors = file.tensors();
    if (tensor.defined()) {
      tensors[name] = tensor;
    } else {
      tensors.erase(name);
    }
    return safetensors_bytes(tensors, file.metadata());
  }

  TokenCovariance covariance_;
  DeltaBase base_;
};

TEST_F(DeltaDocument, ComesBackAsItWas) {
  const auto delta = perfusion();
  const auto bytes = delta_bytes(delta);
  const auto again = parse_delta(bytes, "test");
  EXPECT_EQ(again.method, delta.method);
  EXPECT_EQ(again.class_word, delta.class_word);
  EXPECT_EQ(again.placeholder, delta.placeholder);
  EXPECT_EQ(again.base_fingerprint, delta.base_fingerprint);
  EXPECT_EQ(again.text_encoder_digest, delta.text_encoder_digest);
  EXPECT_EQ(again.covariance_digest, delta.covariance_digest);
  EXPECT_EQ(again.settings, delta.settings);
  EXPECT_EQ(again.notes, delta.notes);
  EXPECT_EQ(again.bias, delta.bias);
  EXPECT_EQ(again.temperature, delta.temperature);
  ASSERT_EQ(again.tensors.size(), delta.tensors.size());
  for (const auto& [name, tensor] : delta.tensors) EXPECT_TRUE(torch::equal(again.tensors.at(name), tensor)) << name;
  EXPECT_EQ(delta_bytes(again), bytes);
  EXPECT_EQ(delta_bytes(delta), bytes);
  EXPECT_NO_THROW(check_delta(again, base_));
}

TEST_F(DeltaDocument, ComesBackFromHalfPrecision) {
  const auto delta = perfusion();
  const auto bytes = delta_bytes(delta, torch::kHalf);
  const auto again = parse_delta(bytes, "test");
  for (const auto& [name, tensor] : delta.tensors) {
    EXPECT_TRUE(torch::equal(again.tensors.at(name), tensor.to(torch::kHalf).to(torch::kFloat))) << name;
  }
  EXPECT_EQ(delta_bytes(again, torch::kHalf), bytes);
  auto large = delta;
  large.tensors[kInputTensor] = torch::full({kWidth}, 1e6f);
  EXPECT_NO_THROW(delta_bytes(large));
  EXPECT_ERROR(delta_bytes(large, torch::kHalf), Code::invalid, "not finite");
}

TEST_F(DeltaDocument, HoldsAsManyBytesAsTheSpecificationComputes) {  // A5 and A10-15: Stable Diffusion 1.5
  DeltaBase sd{.fingerprint = base_.fingerprint, .text_width = 768};
  int number = 0;
  for (const auto& [out, layers] : {std::pair{320, 5}, {640, 5}, {1280, 6}}) {
    for (int k = 0; k < layers; ++k, ++number) {
      sd.key_sites[std::to_string(number) + ".attn2.to_k"] = out;
      sd.value_sites[std::to_string(number) + ".attn2.to_v"] = out;
    }
  }
  auto delta = perfusion();
  delta.tensors = {{kWordTensor, torch::randn({1, 768})}, {kInputTensor, torch::randn({768})}};
  for (const auto& [site, out] : sd.key_sites) delta.tensors[kKeyPrefix + site] = torch::randn({out});
  for (const auto& [site, out] : sd.value_sites) delta.tensors[kValuePrefix + site] = torch::randn({out});
  for (const auto& [dtype, payload] : {std::pair{torch::kFloat, 105'984u}, {torch::kHalf, 52'992u}}) {
    const auto file = SafetensorsFile::parse(delta_bytes(delta, dtype), "test");
    std::size_t bytes = 0;
    for (const auto& name : file.names()) {
      bytes += file.entry(name).bytes.size();
      EXPECT_NE(name, "covariance");
    }
    EXPECT_EQ(bytes, payload);
  }
}

TEST_F(DeltaDocument, TellsOtherToolsItsTrigger) {
  const auto metadata = SafetensorsFile::parse(delta_bytes(perfusion()), "test").metadata();
  EXPECT_EQ(metadata.at("modelspec.trigger_phrase"), "<kettle-7>");
  EXPECT_EQ(metadata.at("conceptd.format"), "1");
  EXPECT_EQ(metadata.at("conceptd.base_digest"), base_.fingerprint.tagged());
}

TEST_F(DeltaDocument, BecomesEditsWhoseKeyIsTheCovariances) {
  const auto delta = perfusion();
  const auto edits = delta_edits(delta, base_, {.bias = .5});
  ASSERT_EQ(edits.tokens.size(), 1u);
  EXPECT_EQ(edits.tokens[0].placeholder, "<kettle-7>");
  ASSERT_EQ(edits.sites.size(), 4u);
  const Tensor* shared = nullptr;
  for (const auto& [site, site_edits] : edits.sites) {
    ASSERT_EQ(site_edits.rank_one.size(), 1u);
    const auto& edit = site_edits.rank_one[0];
    if (!shared) shared = &edit.key;
    EXPECT_TRUE(edit.key.is_same(*shared)) << "one key for all sites";
    EXPECT_NEAR(edit.key.dot(edit.input).item<double>(), 1, 1e-5);
    EXPECT_EQ(edit.bias, .5);
    EXPECT_EQ(edit.temperature, .15);
    const auto name = (site.ends_with("to_k") ? kKeyPrefix : kValuePrefix) + site;
    EXPECT_TRUE(torch::equal(edit.output, delta.tensors.at(name)));
  }
  EXPECT_ERROR(delta_edits(delta, base_, {.temperature = 0}), Code::invalid, "temperature");
  EXPECT_ERROR(delta_edits(delta, base_, {.bias = NAN}), Code::invalid, "bias");
}

TEST_F(DeltaDocument, OfOneTokenNeedsNoCovariance) {
  auto delta = perfusion();
  delta.method = "textual_inversion";
  delta.covariance_digest = {};
  delta.tensors = {{kWordTensor, torch::randn({3, kWidth})}};
  base_.covariance = nullptr;
  const auto again = parse_delta(delta_bytes(delta), "test");
  const auto edits = delta_edits(again, base_);
  EXPECT_TRUE(torch::equal(edits.tokens.at(0).rows, delta.tensors.at(kWordTensor)));
  EXPECT_TRUE(edits.sites.empty());
}

TEST_F(DeltaDocument, OfInfusionIsItsResidualsAndTheClassWord) {
  const auto delta = infusion();
  base_.covariance = nullptr;
  const auto again = parse_delta(delta_bytes(delta), "test");
  EXPECT_EQ(delta_bytes(again), delta_bytes(delta));
  const auto edits = delta_edits(again, base_);
  ASSERT_EQ(edits.tokens.size(), 1u);
  EXPECT_FALSE(edits.tokens[0].rows.defined());
  EXPECT_EQ(edits.tokens[0].words, "kettle");
  ASSERT_EQ(edits.sites.size(), 2u);
  for (const auto& [site, site_edits] : edits.sites) {
    ASSERT_EQ(site_edits.residual.size(), 1u);
    EXPECT_TRUE(torch::equal(site_edits.residual[0].residual, delta.tensors.at(kValueResidualPrefix + site)));
    EXPECT_EQ(site_edits.residual[0].placeholder, "<kettle-7>");
    EXPECT_TRUE(site_edits.residual[0].keeps_maps);
  }
  const auto parity = delta_edits(parse_delta(delta_bytes(infusion(true)), "test"), base_);
  EXPECT_EQ(parity.sites.size(), 4u);
  EXPECT_FALSE(any_residual(parity, [](const auto& edit) { return edit.keeps_maps; })) << "no map is borrowed";
}

TEST_F(DeltaDocument, OfInfusionHoldsAsManyBytesAsTheSpecificationComputes) {  // B5, B10-8, B11-U6
  const auto sd = sd15();
  ASSERT_EQ(sd.value_sites.size(), 16u);
  auto delta = infusion();
  delta.tensors.clear();
  for (const auto& [site, out] : sd.value_sites) delta.tensors[kValueResidualPrefix + site] = torch::randn({out});
  const auto payload = [](const std::string& bytes) {
    const auto file = SafetensorsFile::parse(bytes, "test");
    std::size_t sum = 0;
    for (const auto& name : file.names()) sum += file.entry(name).bytes.size();
    return sum;
  };
  for (const auto dtype : {torch::kFloat, torch::kHalf}) {
    const auto bytes = delta_bytes(delta, dtype);
    EXPECT_EQ(payload(bytes), dtype == torch::kFloat ? 49'920u : 24'960u);
    std::printf("infusion, %s: %zu bytes with the header\n", torch::toString(dtype), bytes.size());
    EXPECT_NO_THROW(check_delta(parse_delta(bytes, "test"), sd));
  }
  for (const auto& [site, out] : sd.key_sites) delta.tensors[kKeyResidualPrefix + site] = torch::randn({out});
  EXPECT_EQ(payload(delta_bytes(delta)), 99'840u) << "the parity mode";
}

TEST_F(DeltaDocument, OfInfusionHasACompactForm) {
  const auto sd = sd15();
  auto delta = infusion();
  delta.compact = true;
  delta.tensors.clear();
  for (const auto& [site, out] : sd.value_sites) delta.tensors[kValueResidualPrefix + site] = .2 * torch::randn({out});
  delta.tensors.begin()->second.zero_();  // a site that has learnt nothing
  const auto bytes = delta_bytes(delta);
  std::printf("infusion, compact: %zu bytes with the header\n", bytes.size());
  EXPECT_LE(bytes.size(), 11u << 10);  // 12,480 numbers in six bits are 9,360 bytes
  const auto again = parse_delta(bytes, "test");
  EXPECT_TRUE(again.compact);
  EXPECT_EQ(delta_bytes(again), bytes);
  EXPECT_TRUE(again.notes.empty());
  EXPECT_NO_THROW(check_delta(again, sd));
  double lost = 0, all = 0;
  for (const auto& [name, tensor] : delta.tensors) {
    const auto off = again.tensors.at(name) - tensor;
    EXPECT_LE(off.abs().max().item<double>(), .51 * tensor.abs().max().item<double>() / 31) << name;
    lost += off.square().sum().item<double>(), all += tensor.square().sum().item<double>();
  }
  std::printf("root of its mean square error: %.2f %% of the residuals\n", 100 * std::sqrt(lost / all));
  EXPECT_LE(std::sqrt(lost / all), .04);
  auto other = infusion(true);
  other.compact = true;
  EXPECT_ERROR(delta_bytes(other), Code::invalid, "no compact form");
  other = perfusion();
  other.compact = true;
  EXPECT_ERROR(delta_bytes(other), Code::invalid, "no compact form");
}

TEST_F(DeltaDocument, OfTheCompactFormThatDoesNotAddUpIsRefused) {
  auto delta = infusion();
  delta.compact = true;
  const auto refuse = [&](const std::string& bytes, const char* part) {
    EXPECT_ERROR(parse_delta(bytes, "upload"), Code::corrupt, part);
  };
  for (const auto* sites :
       {"", "down", "=4", "down=", "down=4x", "down=-4", "down=0", "down=99999999999999999999", "down=4,mid=9",
        "mid=8,down=4", "down=4,down=8", "down=4,mid=8,up=1", "down=4194304,mid=4194304", "down=12"}) {
    refuse(with_metadata(delta, "conceptd.sites", sites), "upload");
  }
  refuse(with_tensor(delta, kPackedTensor, {}), kPackedTensor);
  refuse(with_tensor(delta, kScalesTensor, {}), kScalesTensor);
  refuse(with_tensor(delta, kPackedTensor, torch::zeros({8}, torch::kByte)), "not those of its list");
  refuse(with_tensor(delta, kPackedTensor, torch::zeros({9}, torch::kChar)), "not those of its list");
  refuse(with_tensor(delta, kPackedTensor, torch::zeros({9, 1}, torch::kByte)), "not those of its list");
  refuse(with_tensor(delta, kPackedTensor, torch::full({9}, 0x20, torch::kByte)), "-31..31");
  refuse(with_tensor(delta, kScalesTensor, torch::full({2}, NAN, torch::kBFloat16)), "a scale");
  refuse(with_tensor(delta, kScalesTensor, torch::full({2}, -1, torch::kBFloat16)), "a scale");
  refuse(with_tensor(delta, kScalesTensor, torch::ones({2})), "not those of its list");
  refuse(with_tensor(delta, "r_V.mid.attn2.to_v", torch::zeros({8})), "does not have");
  const auto another = parse_delta(with_metadata(delta, "conceptd.sites", "down=4,up=8"), "upload");
  EXPECT_ERROR(check_delta(another, base_), Code::corrupt, "is missing");
}

TEST_F(DeltaDocument, OfInfusionThatDoesNotFitIsRefused) {
  const auto delta = infusion();
  const auto refuse = [&](const std::string& bytes, const char* part) {
    EXPECT_ERROR(parse_delta(bytes, "upload"), Code::corrupt, part);
  };
  const std::string site = "r_V.mid.attn2.to_v";
  refuse(with_tensor(delta, site, torch::full({8}, NAN)), "not finite");
  refuse(with_tensor(delta, site, torch::zeros({2, 4})), "vector");
  refuse(with_tensor(delta, site, torch::zeros({0})), "empty");
  refuse(with_tensor(delta, site, torch::zeros({8}, torch::kHalf)), "F32 or F16");
  refuse(with_tensor(delta, kWordTensor, torch::zeros({1, kWidth})), "does not have");
  refuse(with_tensor(delta, "o_V.mid.attn2.to_v", torch::zeros({8})), "does not have");
  refuse(with_tensor(perfusion(), site, torch::zeros({8})), "does not have");
  refuse(with_metadata(delta, "conceptd.class_word", ""), "class_word");
  const auto misfit = [&](const Delta& document, const std::string& name, const Tensor& tensor, const char* part) {
    EXPECT_ERROR(delta_edits(parse_delta(with_tensor(document, name, tensor), "upload"), base_), Code::corrupt, part);
  };
  misfit(delta, site, {}, "is missing");
  misfit(delta, site, torch::zeros({4}), "the base's layer yields 8");
  misfit(delta, "r_V.up.attn2.to_v", torch::zeros({4}), "does not have");
  misfit(delta, "r_K.mid.attn2.to_k", torch::zeros({8}), "is missing");  // of all keys, or of none
  misfit(infusion(true), "r_K.up.attn2.to_k", torch::zeros({4}), "does not have");
  auto other = base_;
  other.fingerprint = Digest::of("other");
  EXPECT_ERROR(check_delta(delta, other), Code::conflict, "learn it again on this base");
}

TEST_F(DeltaDocument, OfAnotherBaseSaysWhatToDo) {
  const auto delta = perfusion();
  auto other = base_;
  other.fingerprint = Digest::of("other");
  EXPECT_ERROR(check_delta(delta, other), Code::conflict, "learn it again on this base");
  other = base_;
  other.text_encoder_digest = Digest::of("other");
  EXPECT_ERROR(check_delta(delta, other), Code::conflict, "another text encoder");
  other = base_;
  other.covariance = nullptr;
  EXPECT_ERROR(check_delta(delta, other), Code::conflict, "perfusion/covariance.safetensors");
  const TokenCovariance unlike(torch::eye(kWidth));
  other.covariance = &unlike;
  EXPECT_ERROR(check_delta(delta, other), Code::conflict, "put that file back");
}

TEST_F(DeltaDocument, ThatDoesNotFitTheSitesIsRefused) {
  const auto delta = perfusion();
  auto other = base_;
  other.key_sites["up.attn2.to_k"] = 4;
  EXPECT_ERROR(check_delta(delta, other), Code::corrupt, "is missing");
  other = base_;
  other.key_sites.erase("mid.attn2.to_k");
  EXPECT_ERROR(check_delta(delta, other), Code::corrupt, "does not have");
  other = base_;
  other.value_sites["mid.attn2.to_v"] = 16;
  EXPECT_ERROR(check_delta(delta, other), Code::corrupt, "the base's layer yields 16");
  other = base_;
  other.text_width = 7;
  EXPECT_ERROR(check_delta(delta, other), Code::corrupt, "wide");
}

TEST_F(DeltaDocument, FromAHostileHandIsRefused) {
  const auto delta = perfusion();
  const auto refuse = [&](const std::string& bytes, Code code, const char* part) {
    EXPECT_ERROR(parse_delta(bytes, "upload"), code, part);
  };
  refuse("", Code::corrupt, "upload");
  refuse(std::string(1000, '\xff'), Code::corrupt, "upload");
  refuse(std::string(kDeltaBytesMax + 1, ' '), Code::exhausted, "64 MiB");
  refuse(delta_bytes(delta).substr(0, 500), Code::corrupt, "upload");
  refuse(safetensors_bytes({{"emb_params", torch::zeros({1, 6})}}), Code::invalid, "not a delta of conceptd");
  refuse(with_metadata(delta, "conceptd.format", "2"), Code::invalid, "newer");
  refuse(with_metadata(delta, "conceptd.method", "dreambooth"), Code::invalid, "perfusion, textual_inversion");
  for (const auto* name : {"", "kettle", "<>", "<Kettle>", "<../x>", "<a b>", "<x", "<\xc3\xa4>"}) {
    refuse(with_metadata(delta, "conceptd.placeholder", name), Code::corrupt, "placeholder");
  }
  refuse(with_metadata(delta, "conceptd.class_word", ""), Code::corrupt, "class_word");
  refuse(with_metadata(delta, "conceptd.class_word", std::string("a\0b", 3)), Code::corrupt, "class_word");
  refuse(with_metadata(delta, "conceptd.class_word", std::string(65, 'a')), Code::corrupt, "class_word");
  refuse(with_metadata(delta, "conceptd.base_digest", "abc"), Code::corrupt, "base_digest");
  refuse(with_metadata(delta, "conceptd.base_digest", std::string(64, '0')), Code::corrupt, "base_digest");
  refuse(with_metadata(delta, "conceptd.covariance_digest", std::string(64, '0')), Code::corrupt, "covariance_digest");
  refuse(with_metadata(delta, "conceptd.settings", "[1"), Code::corrupt, "settings");
  refuse(with_metadata(delta, "conceptd.settings", "[]"), Code::corrupt, "settings");
  refuse(with_metadata(delta, "conceptd.settings", std::string(99, '[')), Code::corrupt, "settings");
  refuse(with_metadata(delta, "conceptd.gate_bias", "\"much\""), Code::corrupt, "gate_bias");
  refuse(with_metadata(delta, "conceptd.gate_bias", "1e300"), Code::corrupt, "gate_bias");
  refuse(with_metadata(delta, "conceptd.gate_temperature", "0"), Code::corrupt, "gate_temperature");
  refuse(with_metadata(delta, "note", std::string(70'000, 'a')), Code::corrupt, "short text");

  refuse(with_tensor(delta, kWordTensor, {}), Code::corrupt, "w is missing");
  refuse(with_tensor(delta, kInputTensor, {}), Code::corrupt, "i* is missing");
  refuse(with_tensor(delta, kWordTensor, torch::zeros({2, kWidth})), Code::corrupt, "one row");
  refuse(with_tensor(delta, kWordTensor, torch::zeros({kWidth})), Code::corrupt, "one row");
  refuse(with_tensor(delta, kInputTensor, torch::zeros({1, kWidth})), Code::corrupt, "vector");
  refuse(with_tensor(delta, kInputTensor, torch::zeros({0})), Code::corrupt, "empty");
  refuse(with_tensor(delta, kInputTensor, torch::full({kWidth}, NAN)), Code::corrupt, "not finite");
  refuse(with_tensor(delta, "o_V.mid.attn2.to_v", torch::full({8}, INFINITY)), Code::corrupt, "not finite");
  refuse(with_tensor(delta, "covariance", torch::eye(kWidth)), Code::corrupt, "does not have");
  refuse(with_tensor(delta, kInputTensor, torch::zeros({kWidth}, torch::kInt)), Code::corrupt, "F32 or F16");
  refuse(with_tensor(delta, kInputTensor, torch::zeros({kWidth}, torch::kDouble)), Code::corrupt, "F32 or F16");
  refuse(with_tensor(delta, kInputTensor, torch::zeros({kWidth}, torch::kHalf)), Code::corrupt, "F32 or F16");
  // All zero is finite and well shaped, and no direction at all.
  const auto null = parse_delta(with_tensor(delta, kInputTensor, torch::zeros({kWidth})), "upload");
  EXPECT_ERROR(delta_edits(null, base_), Code::corrupt, "no direction");
}

TEST_F(DeltaDocument, OfLowRankHalvesComesBackAndStandsWhereItSays) {
  const auto delta = lora();
  const auto again = parse_delta(delta_bytes(delta), "test");
  const auto edits = delta_edits(again, base_);
  ASSERT_EQ(edits.tokens.size(), 1u);
  EXPECT_EQ(edits.tokens[0].rows.size(0), 2);
  ASSERT_EQ(edits.sites.size(), 1u);  // a layer without halves stays as it is
  const auto& edit = edits.sites.at("mid.attn1.to_q").low_rank.at(0);
  EXPECT_TRUE(torch::equal(edit.down, delta.tensors.at("down.mid.attn1.to_q")));
  EXPECT_TRUE(torch::equal(edit.up, delta.tensors.at("up.mid.attn1.to_q")));
}

TEST_F(DeltaDocument, WithHalvesThatDoNotFitIsRefused) {
  const auto refuse = [&](const std::string& name, const Tensor& tensor, const char* part) {
    auto delta = lora();
    if (tensor.defined()) delta.tensors[name] = tensor;
    if (!tensor.defined()) delta.tensors.erase(name);
    EXPECT_ERROR(check_delta(delta, base_), Code::corrupt, part);
  };
  refuse("up.mid.attn1.to_q", {}, "no other half");
  refuse("down.mid.attn1.to_q", {}, "no other half");
  refuse("up.mid.attn1.to_q", torch::randn({8, 4}), "another rank");
  refuse("up.mid.attn1.to_q", torch::randn({7, 3}), "not as wide");
  refuse("down.mid.attn1.to_q", torch::randn({3, 6}), "not as wide");
  refuse("down.mid.conv", torch::randn({3, 5}), "does not have");
  EXPECT_ERROR(parse_delta(with_tensor(lora(), "up.mid.attn1.to_q", torch::zeros({8})), "upload"), Code::corrupt,
               "matrix");
  EXPECT_ERROR(parse_delta(with_tensor(lora(), kInputTensor, torch::zeros({kWidth})), "upload"), Code::corrupt,
               "does not have");
}

TEST_F(DeltaDocument, OfWholeDifferencesComesBackAndStandsAtKeysAndValues) {
  const auto delta = custom_diffusion();
  const auto edits = delta_edits(parse_delta(delta_bytes(delta), "test"), base_);
  EXPECT_EQ(edits.sites.size(), base_.key_sites.size() + base_.value_sites.size());
  for (const auto& [site, one] : edits.sites) {
    ASSERT_EQ(one.low_rank.size(), 1u);
    EXPECT_FALSE(one.low_rank[0].down.defined());
    EXPECT_TRUE(torch::equal(one.low_rank[0].up, delta.tensors.at(kDifferencePrefix + site)));
  }
  auto bent = delta;
  bent.tensors.erase("D.mid.attn2.to_v");
  EXPECT_ERROR(check_delta(bent, base_), Code::corrupt, "is missing");
  bent = delta;
  bent.tensors["D.mid.attn1.to_v"] = torch::randn({8, kWidth});
  EXPECT_ERROR(check_delta(bent, base_), Code::corrupt, "does not have");
  bent = delta;
  bent.tensors["D.mid.attn2.to_v"] = torch::randn({delta.tensors.at("D.mid.attn2.to_v").size(0), kWidth + 1});
  EXPECT_ERROR(check_delta(bent, base_), Code::corrupt, "not as wide");
  EXPECT_ERROR(parse_delta(with_tensor(delta, "D.mid.attn2.to_v", torch::randn({8})), "upload"), Code::corrupt,
               "matrix");
}

TEST_F(DeltaDocument, ThatIsWrongIsNotWritten) {
  auto delta = perfusion();
  delta.tensors[kInputTensor] = torch::full({kWidth}, NAN);
  EXPECT_ERROR(delta_bytes(delta), Code::invalid, "not finite");
  delta = perfusion();
  delta.method = "magic";
  EXPECT_ERROR(delta_bytes(delta), Code::invalid, "magic");
  delta = perfusion();
  delta.covariance_digest = {};
  EXPECT_ERROR(delta_bytes(delta), Code::invalid, "covariance_digest");
  delta = perfusion();
  delta.notes["conceptd.method"] = "other";
  EXPECT_ERROR(delta_bytes(delta), Code::invalid, "by the format itself");
  EXPECT_ERROR(delta_bytes(perfusion(), torch::kBFloat16), Code::invalid, "F32 or F16");
}

}  // namespace
}  // namespace conceptd::diffusion
