// Goal: attention that runs twice is the blend of the frozen model and the edited one, for the rows that ask for it
// alone. Method: the invariants of musar_and_tuning_encoder.md, B10 (the number of each stands at its test), on one
// attention and on the whole golden UNet.
#include <gtest/gtest.h>

#include "core/error.h"
#include "diffusion/attention.h"
#include "diffusion/delta.h"
#include "diffusion/edits/edited.h"
#include "tests/diffusion/golden_models.h"
#include "tests/support/expect_error.h"

namespace conceptd::diffusion {
namespace {

using Set = std::shared_ptr<const EditSet>;

double worst(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

class HardPaths : public testing::Test {
 protected:
  void SetUp() override {
    torch::manual_seed(31);
    hard = torch::randn_like(soft);
  }

  // Low-rank offsets of every query, key and value layer, of this size.
  EditSet offsets(double size, int64_t rank = 2, int64_t rows = 0) const {
    EditSet set;
    for (const auto& item : unet->named_modules("", false)) {
      const auto* layer = dynamic_cast<const AdaptedLinearImpl*>(item.value().get());
      if (!layer || item.key().find(".attn") == std::string::npos || item.key().ends_with("to_out.0")) continue;
      std::vector<int64_t> down{rank, layer->weight.size(1)}, up{layer->weight.size(0), rank};
      if (rows) down.insert(down.begin(), rows), up.insert(up.begin(), rows);
      set.sites[item.key()].low_rank.push_back(
          {.down = torch::randn(down), .up = size * torch::randn(up), .soft = true});
    }
    return set;
  }
  Set with(EditSet set, double alpha, const Tensor& hard_context) const {
    set.hard = HardPath{.alpha = alpha, .words = {}, .context = hard_context};
    return std::make_shared<EditSet>(std::move(set));
  }
  Tensor run(const Edited::Rows& rows, const Tensor& context) {
    Edited adapt(rows);
    return unet(sample.slice(0, 0, context.size(0)), timestep, context, adapt);
  }
  Tensor vanilla(const Tensor& context) {
    Adaptation frozen;
    return unet(sample.slice(0, 0, context.size(0)), timestep, context, frozen);
  }

  UNet2DConditionModel unet = golden_unet();
  TensorMap golden = golden_tensors("unet_cross_attn_kv.safetensors");
  Tensor sample = golden.at("sample"), timestep = golden.at("timestep");
  Tensor soft = golden.at("encoder_hidden_states"), hard;  // (b, n, c)
  std::size_t b = static_cast<std::size_t>(soft.size(0));
};

TEST_F(HardPaths, WithNoneOfTheSoftOneAreTheFrozenModel) {  // B10-1
  auto set = offsets(3);
  auto v = soft.clone().requires_grad_();
  for (auto& [site, edits] : set.sites) edits.low_rank[0].up.requires_grad_();
  const auto out = run(Edited::Rows(b, with(set, 0, hard)), v);
  EXPECT_TRUE(torch::equal(out, vanilla(hard)));
  out.pow(2).sum().backward();
  EXPECT_EQ(v.grad().abs().max().item<double>(), 0);
  for (auto& [site, edits] : set.sites) EXPECT_EQ(edits.low_rank[0].up.grad().abs().max().item<double>(), 0) << site;
}

TEST_F(HardPaths, WithAllOfTheSoftOneAreNotRead) {  // B10-2
  torch::NoGradGuard guard;
  const auto set = offsets(.5);
  const auto all = run(Edited::Rows(b, with(set, 1, hard)), soft);
  EXPECT_TRUE(torch::equal(all, run(Edited::Rows(b, with(set, 1, torch::randn_like(hard))), soft)));
  EXPECT_LE(worst(all, run(Edited::Rows(b, std::make_shared<EditSet>(set)), soft)), 0);
  EXPECT_GT(worst(all, vanilla(soft)), 1e-3);
}

TEST_F(HardPaths, WithNothingLearntAreTheFrozenModelAtAnyAlpha) {  // B10-3
  torch::NoGradGuard guard;
  for (const double alpha : {0., .25, .5, 1.})
    EXPECT_LE(worst(run(Edited::Rows(b, with(offsets(0), alpha, soft)), soft), vanilla(soft)), 1e-5) << alpha;
}

TEST_F(HardPaths, AreBlendedLinearlyInALayerAndNotInTheModel) {  // B10-5
  torch::NoGradGuard guard;
  const auto set = offsets(.5);
  struct FirstAttention : Edited {
    using Edited::Edited;
    Tensor attend(AttentionImpl& attention, const Tensor& x, const Tensor& context) override {
      const auto y = Edited::attend(attention, x, context);
      if (!first.defined()) first = y;
      return y;
    }
    Tensor first;
  };
  std::vector<Tensor> first, whole;
  for (const double alpha : {0., .5, 1.}) {
    FirstAttention adapt(Edited::Rows(b, with(set, alpha, hard)));
    whole.push_back(unet(sample, timestep, soft, adapt));
    first.push_back(adapt.first);
  }
  EXPECT_GT(worst(first[0], first[2]), 1e-2);
  EXPECT_LE(worst(first[1], (first[0] + first[2]) / 2), 1e-5);
  EXPECT_GT(worst(whole[1], (whole[0] + whole[2]) / 2), 1e-3);
}

TEST_F(HardPaths, HaveOffsetsOfLowRankThatCouldBeMerged) {  // B10-10
  torch::NoGradGuard guard;
  const auto x = torch::randn({2, 5, 8}), weight = torch::randn({6, 8});
  const std::vector<LowRank> edits{{.down = torch::randn({3, 8}), .up = torch::randn({6, 3})}};
  const auto difference = torch::matmul(edits[0].up, edits[0].down);
  EXPECT_EQ(torch::linalg_matrix_rank(difference).item<int64_t>(), 3);
  EXPECT_LE(worst(apply_edits(edits, x, torch::linear(x, weight)), torch::linear(x, weight + difference)), 1e-5);
}

TEST_F(HardPaths, OfOneRowLeaveTheOthersBitForBit) {
  torch::NoGradGuard guard;
  ASSERT_GE(b, 2u);
  Edited::Rows rows(b);
  rows[0] = with(offsets(.1), .5, hard[0]);
  const auto out = run(rows, soft), plain = vanilla(soft);
  EXPECT_TRUE(torch::equal(out.slice(0, 1), plain.slice(0, 1)));
  EXPECT_GT(worst(out[0], plain[0]), 1e-2);
  Edited::Rows all(b, rows[0]);
  EXPECT_LE(worst(out[0], run(all, soft)[0]), 1e-3);  // in another batch: rounded otherwise
}

TEST_F(HardPaths, KeepTheEditsOfOtherConcepts) {
  torch::NoGradGuard guard;
  auto both = offsets(.5);
  EditSet other;
  for (const auto& [site, edits] : both.sites) {
    if (site.ends_with("attn2.to_v"))
      other.sites[site].low_rank.push_back(
          {.down = {}, .up = torch::randn({edits.low_rank[0].up.size(0), edits.low_rank[0].down.size(1)})});
  }
  add_edits(both, other);
  const auto alone = run(Edited::Rows(b, std::make_shared<EditSet>(other)), hard);
  EXPECT_TRUE(torch::equal(run(Edited::Rows(b, with(both, 0, hard)), soft), alone));
}

TEST_F(HardPaths, AndOffsetsMayBeEachRowsOwn) {
  torch::NoGradGuard guard;
  const auto rows = static_cast<int64_t>(b);
  const auto set = offsets(.5, 2, rows);
  const auto together = run(Edited::Rows(b, with(set, .5, hard)), soft);
  Edited::Rows apart;
  for (int64_t k = 0; k < rows; ++k) {
    auto mine = set;
    for (auto& [site, edits] : mine.sites) {
      auto& edit = edits.low_rank[0];
      edit.down = edit.down[k], edit.up = edit.up[k];
    }
    apart.push_back(with(mine, .5, hard[k]));
  }
  EXPECT_LE(worst(together, run(apart, soft)), kNetworkLimit);
}

TEST_F(HardPaths, AreNotInAnUnconditionalHalf) {  // R10
  auto set = offsets(.5);
  EXPECT_EQ(without_soft_path({with(set, .5, hard[0])})[0], nullptr);
  set.sites.begin()->second.low_rank.push_back({.down = {}, .up = torch::ones({2, 2})});
  const auto left = without_soft_path({with(set, .5, hard[0])})[0];
  ASSERT_TRUE(left);
  EXPECT_FALSE(left->hard);
  EXPECT_EQ(left->sites.size(), 1u);
}

TEST_F(HardPaths, OfAPromptThatWasNotPreparedAreRefused) {
  EXPECT_ERROR(run(Edited::Rows(b, with(offsets(.5), .5, {})), soft), Code::internal, "no prompt");
}

TEST_F(HardPaths, KeepWhatTheyReadForAllSteps) {
  torch::NoGradGuard guard;
  const Edited::Rows rows(b, with(offsets(.5), .5, hard));
  Edited adapt(rows);
  adapt.begin_prompt({soft});
  for (int step = 0; step < 2; ++step) EXPECT_TRUE(torch::equal(unet(sample, timestep, soft, adapt), run(rows, soft)));
}

TEST(HardPathDelta, SaysWordAndAlphaAndIsRefusedWithoutThem) {
  const DeltaBase base{.fingerprint = Digest::of("base"), .text_width = 6, .projections = {{"mid.attn1.to_q", {8, 5}}}};
  Delta delta{.method = "tuning_encoder",
              .class_word = "pot",
              .placeholder = "<kettle-7>",
              .base_fingerprint = base.fingerprint,
              .hard_word = "kettle",
              .alpha = .25};
  delta.tensors = {{kWordTensor, torch::randn({1, 6})},
                   {"down.mid.attn1.to_q", torch::randn({3, 5})},
                   {"up.mid.attn1.to_q", torch::randn({8, 3})}};
  const auto edits = delta_edits(parse_delta(delta_bytes(delta), "test"), base);
  ASSERT_TRUE(edits.hard);
  EXPECT_EQ(edits.hard->alpha, .25);
  EXPECT_EQ(edits.hard->words.at("<kettle-7>"), "kettle");
  EXPECT_TRUE(edits.sites.at("mid.attn1.to_q").low_rank.at(0).soft);
  const auto with = [&](const std::string& key, const std::string& value) {
    const auto file = SafetensorsFile::parse(delta_bytes(delta), "test");
    auto metadata = file.metadata();
    metadata[key] = value;
    return safetensors_bytes(file.tensors(), metadata);
  };
  EXPECT_ERROR(parse_delta(with("conceptd.alpha", "1.5"), "upload"), Code::corrupt, "within 0..1");
  EXPECT_ERROR(parse_delta(with("conceptd.alpha", "null"), "upload"), Code::corrupt, "number");
  EXPECT_ERROR(parse_delta(with("conceptd.hard_word", ""), "upload"), Code::corrupt, "not a word");
  delta.tensors[kWordTensor] = torch::randn({2, 6});
  EXPECT_ERROR(delta_bytes(delta), Code::invalid, "one row");
  delta.method = "lora";
  EXPECT_FALSE(delta_edits(delta, base).hard);
}

}  // namespace
}  // namespace conceptd::diffusion
