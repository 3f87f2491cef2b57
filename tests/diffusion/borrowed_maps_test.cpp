// Goal: a customised row looks where the frozen model looks and sees its residual there, and nowhere else.
// Method: the numbers and invariants of perfusion_and_infusion.md, B10 (the number of each stands at its test), on one
// small attention and on the whole golden UNet.
#include "diffusion/edits/borrowed_maps.h"

#include <gtest/gtest.h>

#include "tests/diffusion/golden_models.h"

namespace conceptd::diffusion {
namespace {

using Set = std::shared_ptr<const EditSet>;

double worst(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

// Attention whose output layer adds nothing of its own, so that what it yields is softmax(q k) v.
struct Bare : torch::nn::Module {
  Bare(int64_t width, int64_t context_width, int64_t heads) {
    attn2 = register_module("attn2", Attention(width, context_width, heads, width / heads));
    name_sites(*this);
    for (auto& parameter : parameters()) parameter.requires_grad_(false);
    attn2->to_out->at<AdaptedLinearImpl>(0).weight.copy_(torch::eye(width));
    attn2->to_out->at<AdaptedLinearImpl>(0).bias.zero_();
  }
  Set with(const Tensor& residual, std::vector<int64_t> positions) const {
    auto set = std::make_shared<EditSet>();
    set->sites["attn2.to_v"].residual.push_back({residual, std::move(positions)});
    return set;
  }
  // What C yields with this residual where F sees x_frozen and C itself x.
  Tensor customised(const Tensor& x_frozen, const Tensor& x, const Tensor& context, const Set& set) {
    const auto b = static_cast<std::size_t>(x.size(0));
    LendingMaps frozen{Edited::Rows(b, nullptr)};
    {
      const torch::NoGradGuard quiet;
      attn2(x_frozen, context, frozen);
    }
    BorrowedMaps adapt(Edited::Rows(b, set), {});
    adapt.lent = frozen.lent;
    return attn2(x, context, adapt);
  }
  Tensor maps(const Tensor& x, const Tensor& context) {  // (b, h, l, n)
    Recorder seen;
    attn2(x, context, seen);
    const auto& a = seen.attends.at("attn2");
    return (torch::matmul(a.query, a.key.transpose(-2, -1)) / std::sqrt(static_cast<double>(a.query.size(-1))))
        .softmax(-1);
  }
  Attention attn2{nullptr};
};

class BorrowedMap : public testing::Test {
 protected:
  void SetUp() override { torch::manual_seed(23); }
  Bare bare{8, 6, 2};
  Tensor x_frozen = torch::randn({3, 5, 8}), x = torch::randn({3, 5, 8}), context = torch::randn({3, 4, 6});
};

TEST_F(BorrowedMap, GivesTheWorkedNumbers) {  // B10-11
  Bare one(2, 2, 1);
  one.attn2->to_v->weight.copy_(torch::eye(2));
  one.attn2->to_k->weight.zero_();  // k_1 = k_2
  one.attn2->to_q->weight.copy_(torch::eye(2));
  const auto v = torch::tensor({{{1.f, 1.f}, {2.f, 0.f}}});
  const auto any_query = torch::tensor({{{3.f, -7.f}}}), zero = torch::zeros({1, 1, 2});
  Adaptation base;
  EXPECT_LE(worst(one.attn2(zero, v, base).flatten(), torch::tensor({1.5f, .5f})), 1e-6);
  const auto out = one.customised(zero, any_query, v, one.with(torch::tensor({4.f, -2.f}), {1}));
  EXPECT_LE(worst(out.flatten(), torch::tensor({3.5f, -.5f})), 1e-6);
}

TEST_F(BorrowedMap, IsAffineInTheResidual) {  // B10-5
  const auto r1 = torch::randn({8}), r2 = torch::randn({8});
  const auto at = [&](const Tensor& r) { return bare.customised(x_frozen, x, context, bare.with(r, {2})); };
  const auto none = at(torch::zeros({8}));
  EXPECT_LE(worst(at(r1 + r2) - none, (at(r1) - none) + (at(r2) - none)), 1e-5);
}

TEST_F(BorrowedMap, AddsTheFrozenMapTimesTheResidual) {  // B10-6, (B-3)
  const auto r = torch::randn({8});
  Adaptation base;
  const auto map = bare.maps(x, context).select(-1, 2);  // (b, h, l)
  const auto expected = torch::einsum("bhl,hd->blhd", {map, r.view({2, 4})}).flatten(2);
  const auto change = bare.customised(x, x, context, bare.with(r, {2})) - bare.attn2(x, context, base);
  EXPECT_LE(worst(change, expected), 1e-5 * expected.abs().max().item<double>() + 1e-6);
}

TEST_F(BorrowedMap, DoesNotSeeTheCustomisedQuery) {  // B10-4: perturbing Q_C does not change A
  const auto set = bare.with(torch::randn({8}), {1});
  const auto out = bare.customised(x_frozen, x, context, set);
  EXPECT_TRUE(torch::equal(bare.customised(x_frozen, x + torch::randn_like(x), context, set), out));
  EXPECT_GT(worst(bare.customised(x, x, context, set), out), 1e-2) << "but the frozen one";
}

TEST_F(BorrowedMap, HasTheGradientThatTheFormulaSays) {  // B10-7
  auto r = torch::randn({8}).requires_grad_();
  const auto set = bare.with(r, {2});
  const auto weight = torch::randn({3, 5, 8});  // G = dL/dout
  (bare.customised(x_frozen, x, context, set) * weight).sum().backward();
  const auto map = bare.maps(x_frozen, context).select(-1, 2);
  const auto expected = torch::einsum("bhl,blhd->hd", {map, weight.view({3, 5, 2, 4})}).flatten();
  EXPECT_LE(worst(r.grad(), expected), 1e-5 * expected.abs().max().item<double>() + 1e-5);
}

TEST_F(BorrowedMap, LeavesTheOtherTokensValues) {  // B10-9
  Recorder seen;
  bare.attn2(x, context, seen);
  Edited adapt(Edited::Rows(3, bare.with(torch::randn({8}), {2})));
  const auto values = bare.attn2->to_v(context, adapt);
  for (const int64_t token : {0, 1, 3}) {
    EXPECT_TRUE(torch::equal(values.select(1, token), seen.outputs.at("attn2.to_v").select(1, token))) << token;
  }
  EXPECT_GT(worst(values.select(1, 2), seen.outputs.at("attn2.to_v").select(1, 2)), 1e-2);
}

// The golden UNet with residuals at all of its cross-attention values.
struct Golden {
  Set infusion(double size, std::vector<int64_t> positions) const {
    auto set = std::make_shared<EditSet>();
    for (const auto& item : unet->named_modules("", false)) {
      const auto* layer = dynamic_cast<const AdaptedLinearImpl*>(item.value().get());
      if (!layer || !item.key().ends_with(".attn2.to_v")) continue;
      set->sites[item.key()].residual.push_back({size * torch::randn({layer->weight.size(0)}), positions});
    }
    return set;
  }
  Tensor run(const Edited::Rows& rows) {
    DualStream streams(rows);
    return streams.run(unet, sample, timestep, context);
  }
  Tensor base() {
    Adaptation plain;
    return unet(sample, timestep, context, plain);
  }
  TensorMap tensors = golden_tensors("unet_cross_attn_kv.safetensors");
  UNet2DConditionModel unet = golden_unet();
  Tensor sample = tensors.at("sample"), timestep = tensors.at("timestep"),
         context = tensors.at("encoder_hidden_states");
};

class Infusion : public testing::Test {
 protected:
  void SetUp() override { torch::manual_seed(29); }
  Golden golden;
};

TEST_F(Infusion, OfNothingIsTheBaseBitForBit) {  // B10-1, B10-2
  const torch::NoGradGuard no_grad;
  const auto base = golden.base();
  EXPECT_TRUE(torch::equal(golden.run({nullptr, nullptr}), base));
  const auto zero = golden.infusion(0, {3});
  EXPECT_TRUE(torch::equal(golden.run({zero, zero}), base)) << "r = 0";
}

TEST_F(Infusion, LeavesTheFrozenStreamAlone) {  // B10-3
  const torch::NoGradGuard no_grad;
  const auto wild = golden.infusion(3, {3});
  LendingMaps frozen(of_frozen_stream({wild, wild}));
  EXPECT_TRUE(torch::equal(golden.unet(golden.sample, golden.timestep, golden.context, frozen), golden.base()));
  EXPECT_FALSE(frozen.lent.empty());
  EXPECT_GT(worst(golden.run({wild, wild}), golden.base()), 1e-2);
}

// Sees what the customised stream would have compared, and what it compares.
struct Watched : BorrowedMaps {
  using BorrowedMaps::BorrowedMaps;
  void route(const Site& site, Attend& attend) override {
    if (is_cross_attention(site)) own[site.path] = attend.query;
    BorrowedMaps::route(site, attend);
    if (is_cross_attention(site)) used[site.path] = {attend.query, attend.key};
  }
  std::map<std::string, Tensor> own;
  LentMaps used;
};

TEST_F(Infusion, UsesTheFrozenMapsAtEveryCrossAttention) {  // B10-4, B11-U3
  const torch::NoGradGuard no_grad;
  const auto set = golden.infusion(1, {3});
  LendingMaps frozen(Edited::Rows(2, nullptr));
  golden.unet(golden.sample, golden.timestep, golden.context, frozen);
  Watched customised(Edited::Rows(2, set), {});
  customised.lent = frozen.lent;
  golden.unet(golden.sample, golden.timestep, golden.context, customised);
  ASSERT_EQ(customised.used.size(), frozen.lent.size());
  EXPECT_TRUE(customised.lent.empty()) << "every map was given back";
  int drifted = 0;
  for (const auto& [site, map] : frozen.lent) {
    EXPECT_TRUE(customised.used.at(site).query.is_same(map.query)) << site;
    EXPECT_TRUE(customised.used.at(site).key.is_same(map.key)) << site;
    drifted += worst(customised.own.at(site), map.query) > 1e-3;
  }
  EXPECT_GT(drifted, 0) << "without borrowing, the maps would have been others";
}

TEST_F(Infusion, GradientReachesTheResidualsAloneAndIsRight) {  // B10-7, B10-8
  auto set = std::make_shared<EditSet>(*golden.infusion(.5, {3}));
  std::vector<Tensor> residuals;
  for (auto& [path, site] : set->sites) residuals.push_back(site.residual[0].residual.requires_grad_());
  const auto weight = torch::randn_like(golden.sample);
  const auto loss = [&] { return (golden.run({set, set}) * weight).sum(); };
  loss().backward();
  for (const auto& parameter : golden.unet->parameters()) EXPECT_FALSE(parameter.grad().defined());
  const torch::NoGradGuard no_grad;
  for (auto& residual : {residuals.front(), residuals.back()}) {
    const auto direction = residual.grad() / residual.grad().norm();
    const auto before = residual.clone();
    const double step = .05;
    residual.copy_(before + step * direction);
    const double up = loss().item<double>();
    residual.copy_(before - step * direction);
    const double down = loss().item<double>();
    residual.copy_(before);
    const double expected = residual.grad().norm().item<double>();
    EXPECT_NEAR((up - down) / (2 * step), expected, 1e-2 * expected);
  }
}

TEST_F(Infusion, OfTwoWordsCommutesAndEachStaysWithItsOwn) {  // B10-10
  const torch::NoGradGuard no_grad;
  const auto a = golden.infusion(1, {3}), b = golden.infusion(1, {6});
  EditSet first = *a, second = *b, swapped;
  add_edits(first, *b);
  add_edits(second, *a);
  swapped = first;
  for (auto& [path, site] : swapped.sites) std::swap(site.residual[0].positions, site.residual[1].positions);
  const auto run = [&](const EditSet& set) {
    const auto shared = std::make_shared<const EditSet>(set);
    return golden.run({shared, shared});
  };
  EXPECT_LE(worst(run(first), run(second)), 1e-5);
  EXPECT_GT(worst(run(first), run(swapped)), 1e-2);
}

TEST_F(Infusion, InOneRowLeavesTheOthersBitForBit) {
  const torch::NoGradGuard no_grad;
  const auto base = golden.base();
  const auto set = golden.infusion(1, {3});
  const auto both = golden.run({set, set}), one = golden.run({nullptr, set});
  EXPECT_TRUE(torch::equal(one[0], base[0]));
  EXPECT_LE(worst(one[1], both[1]), 2e-5);
}

TEST_F(Infusion, RemembersWhatAConstantContextYields) {
  const torch::NoGradGuard no_grad;
  const auto set = golden.infusion(1, {3});
  const auto expected = golden.run({nullptr, set});
  DualStream kept({nullptr, set});
  kept.begin_prompt(golden.context);
  for (int step = 0; step < 2; ++step) {
    EXPECT_TRUE(torch::equal(kept.run(golden.unet, golden.sample, golden.timestep, golden.context), expected)) << step;
  }
}

TEST_F(Infusion, WithoutSharingLooksWhereItWants) {  // the parity mode: B2, B11-U6
  const torch::NoGradGuard no_grad;
  const auto set = golden.infusion(1, {3});
  EditSet released = *set;
  for (auto& [path, site] : released.sites) site.residual[0].keeps_maps = false;
  const auto shared = std::make_shared<const EditSet>(released);
  Edited plain(Edited::Rows(2, shared));
  const auto expected = golden.unet(golden.sample, golden.timestep, golden.context, plain);
  EXPECT_TRUE(torch::equal(golden.run({shared, shared}), expected));
  EXPECT_GT(worst(golden.run({set, set}), expected), 1e-3);
}

TEST_F(Infusion, StandsBesideEditsOfOtherKinds) {  // the frozen stream is the row without its residuals only
  const torch::NoGradGuard no_grad;
  EditSet other;
  const auto pattern = golden.infusion(1, {0});
  for (const auto& [path, site] : pattern->sites) {
    auto key = path;
    key.replace(key.rfind("to_v"), 4, "to_k");
    const auto out = site.residual[0].residual.size(0);
    other.sites[key].low_rank.push_back(
        {torch::randn({1, golden.unet->config.cross_attention_width}), .3 * torch::randn({out, 1})});
  }
  const auto alone = std::make_shared<const EditSet>(other);
  auto zero = other, wild = other;
  add_edits(zero, *golden.infusion(0, {3}));
  add_edits(wild, *golden.infusion(1, {3}));
  const auto nothing = std::make_shared<const EditSet>(zero), all = std::make_shared<const EditSet>(wild);
  EXPECT_TRUE(torch::equal(golden.run({nothing, nothing}), golden.run({alone, alone})));
  EXPECT_GT(worst(golden.run({all, all}), golden.run({alone, alone})), 1e-2);
  EXPECT_GT(worst(golden.run({alone, alone}), golden.base()), 1e-2);
}

TEST_F(Infusion, OnesResidualsAreTakenAwayRowByRow) {
  const auto set = golden.infusion(1, {3});
  EditSet mixed = *set;
  mixed.sites["x"].low_rank.resize(1);
  mixed.sites.begin()->second.residual[0].keeps_maps = false;
  const auto shared = std::make_shared<const EditSet>(mixed);
  const auto none = for_another_prompt({nullptr, set, shared, shared});
  EXPECT_EQ(none[1], nullptr);
  EXPECT_EQ(none[2]->sites.size(), 1u);
  EXPECT_EQ(none[2], none[3]);
  const auto kept = of_frozen_stream({shared});
  EXPECT_EQ(kept[0]->sites.size(), 2u);
}

}  // namespace
}  // namespace conceptd::diffusion
