// Goal: who may see whom is what MUSAR's table says, exactly, as a bias and part by part; and a gate owns every token
// once. Method: groups of uneven lengths, random queries and keys, the invariants of the specification (A12) by number.
#include "diffusion/edits/token_groups.h"

#include <gtest/gtest.h>

#include "diffusion/attention.h"
#include "diffusion/edits/token_gate.h"
#include "tests/support/expect_error.h"

namespace conceptd::diffusion {
namespace {

constexpr int64_t kHeight = 3, kWidth = 4, kTokens = kHeight * kWidth;

struct Layer {  // two subjects of uneven size
  explicit Layer(int64_t rows = 1) {
    torch::manual_seed(4);
    const auto s = groups.all().size(0);
    attend = {torch::randn({rows, 2, s, 8}), torch::randn({rows, 2, s, 8}), torch::randn({rows, 2, s, 8}), {}};
  }
  Tensor probabilities(const Tensor& bias) const {
    return (torch::matmul(attend.query, attend.key.transpose(-2, -1)) / std::sqrt(8.) + bias).softmax(-1);
  }
  Tensor answer(const Tensor& bias, std::vector<AttendPart> parts) const {
    auto asked = attend;
    asked.bias = bias, asked.parts = std::move(parts);
    return softmax_attention(asked);
  }
  TokenGroups groups = TokenGroups::of(5, kTokens, {2, 3}, {4, 6});
  Attend attend;
};

Routing routing_of(GateCells cells = GateCells::argmax, GateScore score = GateScore::lse_mean_heads) {
  return {.score = score, .cells = cells, .height = kHeight, .width = kWidth};
}

bool permitted(int64_t q, int64_t k) {  // the table of A3.2
  const auto P = TokenGroups::kPrompt, X = TokenGroups::kPicture;
  if (q == X || k == X) return true;
  if (q == P || k == P) return q == k;
  return q == k;
}

TEST(TokenGroups, TheStaticMaskIsTheTable) {  // A12-4
  const Layer layer;
  const auto group = layer.groups.all();
  const auto mass = layer.probabilities(mask_bias(layer.groups, {}));
  EXPECT_TRUE(torch::allclose(mass.sum(-1), torch::ones({1})));
  EXPECT_TRUE(mass.isfinite().all().item<bool>());
  for (int64_t q = 0; q < group.size(0); ++q) {
    for (int64_t k = 0; k < group.size(0); ++k) {
      const bool open = permitted(group[q].item<int64_t>(), group[k].item<int64_t>());
      const auto most = mass.index({0, torch::indexing::Slice(), q, k}).max().item<double>();
      EXPECT_EQ(most > 0, open) << q << " sees " << k;
    }
  }
}

TEST(TokenGroups, WhatIsOwnedSeesItsOwnerAlone) {  // A12-5
  const Layer layer(2);
  const auto owner = torch::randint(-1, 2, {2, kTokens}, torch::kLong);
  const auto mass = layer.probabilities(mask_bias(layer.groups, {owner, {}}));
  EXPECT_TRUE(torch::allclose(mass.sum(-1), torch::ones({1})));
  const auto picture = layer.groups.picture_tokens(), group = layer.groups.all();
  for (int64_t row = 0; row < 2; ++row) {
    for (int64_t p = 0; p < kTokens; ++p) {
      const auto at = picture[p].item<int64_t>(), own = owner[row][p].item<int64_t>();
      for (int64_t k = 0; k < group.size(0); ++k) {
        const auto subject = group[k].item<int64_t>() - TokenGroups::kFirstSubject;
        const bool open = subject < 0 || subject == own;
        EXPECT_EQ(mass[row][0][at][k].item<double>() > 0, open);
        EXPECT_EQ(mass[row][0][k][at].item<double>() > 0, open);
      }
    }
  }
}

TEST(TokenGroups, PartsAreTheMask) {
  const Layer layer;
  const auto check = [&](const Ownership& ownership) {
    const auto parts = layer.answer({}, mask_parts(layer.groups, ownership));
    const auto biased = layer.answer(mask_bias(layer.groups, ownership), {});
    EXPECT_TRUE(torch::allclose(parts, biased, 1e-5, 1e-6));
  };
  check({});
  for (int k = 0; k < 5; ++k) {
    const auto owner = torch::randint(-1, 2, {1, kTokens}, torch::kLong);
    check({owner, {}});
    check({owner, torch::tensor({{true, false}})});
  }
  check({torch::zeros({1, kTokens}, torch::kLong), torch::tensor({{false, true}})});
  EXPECT_ERROR(mask_parts(layer.groups, {torch::zeros({2, kTokens}, torch::kLong), {}}), Code::internal, "one a row");
}

TEST(TokenGroups, WhatIsOwnedDoesNotNoticeAnotherReference) {  // A12-6: one attention layer, frozen inputs
  Layer layer;
  const auto owner = torch::arange(kTokens, torch::kLong).remainder(2).unsqueeze(0);
  const auto parts = mask_parts(layer.groups, {owner, {}});
  const auto before = layer.answer({}, parts);
  const auto other = torch::cat({layer.groups.caption_tokens(1), layer.groups.reference_tokens(1)});
  layer.attend.key.index_fill_(2, other, 3), layer.attend.value.index_fill_(2, other, -7);
  const auto after = layer.answer({}, parts);
  const auto own = layer.groups.picture_tokens().index({owner[0] == 0});
  const auto theirs = layer.groups.picture_tokens().index({owner[0] == 1});
  EXPECT_TRUE(torch::equal(after.index_select(1, own), before.index_select(1, own)));
  EXPECT_GT((after.index_select(1, theirs) - before.index_select(1, theirs)).abs().min().item<double>(), 0);
}

TEST(TokenGroups, ThePromptIsReachedThroughThePictureAlone) {  // A12-7
  Layer layer;
  const auto s = layer.groups.all().size(0);
  const auto prompt = torch::arange(5), reference = layer.groups.reference_tokens(0);
  auto value = layer.attend.value.clone().requires_grad_();
  layer.attend.value = value;
  const auto bias = mask_bias(layer.groups, {});
  const auto first = layer.answer(bias, {});
  first.index_select(1, prompt).sum().backward({}, true);
  EXPECT_EQ(value.grad().index_select(2, reference).abs().max().item<double>(), 0);
  value.mutable_grad() = Tensor();
  auto second = layer.attend;
  second.value = first.view({1, s, 2, 8}).transpose(1, 2), second.bias = bias;
  softmax_attention(second).index_select(1, prompt).sum().backward();
  EXPECT_GT(value.grad().index_select(2, reference).abs().max().item<double>(), 0);
}

TEST(TokenGroups, PaddingIsSeenByNobody) {  // A12-16
  Layer layer;
  const auto plain = layer.answer(mask_bias(layer.groups, {}), {});
  const auto pad = [](const Tensor& x) { return torch::cat({x, torch::full({1, 2, 3, 8}, 9.f)}, 2); };
  auto padded = layer;
  padded.groups.image = torch::cat({layer.groups.image, torch::full({3}, TokenGroups::kPadding, torch::kLong)});
  padded.attend = {pad(layer.attend.query), pad(layer.attend.key), pad(layer.attend.value), {}};
  const auto with = padded.answer(mask_bias(padded.groups, {}), {});
  EXPECT_TRUE(torch::allclose(with.slice(1, 0, plain.size(1)), plain, 1e-6, 1e-6));
  EXPECT_TRUE(with.isfinite().all().item<bool>());
  EXPECT_TRUE(torch::allclose(padded.answer({}, mask_parts(padded.groups, {})), with, 1e-5, 1e-6));
  for (const auto score : {GateScore::lse_mean_heads, GateScore::attention_mass})
    EXPECT_TRUE(torch::allclose(gate_scores(padded.attend, padded.groups, routing_of(GateCells::argmax, score)),
                                gate_scores(layer.attend, layer.groups, routing_of(GateCells::argmax, score)), 1e-5,
                                1e-6));
}

TEST(TokenGate, CaresForNeitherAConstantNorASecondCopyOfAReference) {  // A12-9
  Layer layer;
  const auto scores = gate_scores(layer.attend, layer.groups, routing_of());
  EXPECT_EQ(scores.sizes(), (at::IntArrayRef{1, kTokens, 2}));
  EXPECT_TRUE(
      torch::equal(owners_of(scores + torch::randn({1, kTokens, 1}), routing_of()), owners_of(scores, routing_of())));
  const auto again = layer.groups.reference_tokens(0);
  const auto from = again[0].item<int64_t>();
  const auto twice = [&](const Tensor& x) {
    return torch::cat({x.slice(2, 0, from), x.index_select(2, again), x.slice(2, from)}, 2);
  };
  Layer doubled = layer;
  doubled.groups = TokenGroups::of(5, kTokens, {2, 3}, {8, 6});
  doubled.attend = {twice(layer.attend.query), twice(layer.attend.key), twice(layer.attend.value), {}};
  EXPECT_TRUE(torch::allclose(gate_scores(doubled.attend, doubled.groups, routing_of()), scores, 1e-5, 1e-5));
}

TEST(TokenGate, EveryTokenHasOneOwnerAndLabelsAreNames) {  // A12-10
  Layer layer;
  for (const auto score :
       {GateScore::lse_mean_heads, GateScore::attention_mass, GateScore::max_logit, GateScore::caption}) {
    for (const auto cells : {GateCells::argmax, GateCells::balanced, GateCells::background}) {
      const auto routing = routing_of(cells, score);
      const auto scores = gate_scores(layer.attend, layer.groups, routing);
      const auto owner = owners_of(scores, routing);
      ASSERT_EQ(owner.sizes(), (at::IntArrayRef{1, kTokens}));
      EXPECT_LT(owner.max().item<int64_t>(), 2);
      EXPECT_GE(owner.min().item<int64_t>(), cells == GateCells::background ? -1 : 0);
      const auto order = cells == GateCells::background ? torch::tensor({1, 0, 2}) : torch::tensor({1, 0});
      const auto renamed = owners_of(scores.index_select(2, order), routing);
      if (cells == GateCells::balanced) continue;  // its vote of a neighbourhood may be a tie, which goes to the lowest
      EXPECT_TRUE(torch::equal(torch::where(owner < 0, owner, 1 - owner), renamed));
    }
  }
}

TEST(TokenGate, BalancedCellsAreNearerToEachOther) {
  torch::manual_seed(8);
  const Routing routing{.cells = GateCells::balanced, .height = 8, .width = 8};
  auto scores = torch::randn({1, 64, 2});
  scores.select(2, 0) += 1.5;
  const auto share = [](const Tensor& owner) { return owner.to(torch::kFloat).mean().item<double>(); };
  const double plain = share(owners_of(scores, {.height = 8, .width = 8})), even = share(owners_of(scores, routing));
  EXPECT_LT(plain, .3);
  EXPECT_NEAR(even, .5, .2);
}

TEST(TokenGate, TheBackgroundOwnsNothingAndSpecksGo) {
  const Routing routing{.cells = GateCells::background, .height = 6, .width = 6};
  auto scores = torch::zeros({1, 36, 3});
  scores.select(2, 2) = 5;  // the prompt wins
  auto grid = scores.view({1, 6, 6, 3});
  grid.index_put_({0, torch::indexing::Slice(1, 4), torch::indexing::Slice(1, 4), 1}, 9.f);  // but for a block of 1
  grid.index_put_({0, 5, 5, 0}, 9.f);                                                        // and a speck of 0
  const auto owner = owners_of(scores, routing).view({6, 6});
  EXPECT_EQ(owner[5][5].item<int64_t>(), -1);
  EXPECT_EQ(owner[2][2].item<int64_t>(), 1);
  EXPECT_EQ(owner.eq(1).sum().item<int64_t>(), 9);
  EXPECT_EQ(owner.eq(-1).sum().item<int64_t>(), 27);
}

TEST(TokenGate, HalvesOfADiptych) {  // A12-17
  const auto owner = owners_by_halves(2, routing_of()).view({2, kHeight, kWidth});
  EXPECT_EQ(owner.slice(2, 0, kWidth / 2).max().item<int64_t>(), 0);
  EXPECT_EQ(owner.slice(2, kWidth / 2).min().item<int64_t>(), 1);
}

TEST(TokenGate, NamesWhatDoesNotFit) {
  const Layer layer;
  const auto refused = [&](const char* field, auto change) {
    auto routing = routing_of();
    change(routing);
    EXPECT_ERROR(check_routing(routing, layer.groups), Code::invalid, field);
  };
  check_routing(routing_of(), layer.groups);
  refused("height", [](auto& r) { r.width = 5; });
  refused("ungated", [](auto& r) { r.ungated = 2; });
  refused("dynamic", [](auto& r) { r.masks = false; });
  refused("shared_site", [](auto& r) { r.scope = GateScope::shared; });
  refused("given", [](auto& r) { r.source = GateSource::given; });
  refused("given", [](auto& r) { r.source = GateSource::given, r.given = torch::full({1, kTokens}, 2, torch::kLong); });
  refused("given", [](auto& r) { r.source = GateSource::given, r.given = torch::zeros({1, 3}, torch::kLong); });
  auto routing = routing_of();
  routing.score = GateScore::caption;
  EXPECT_ERROR(check_routing(routing, TokenGroups::of(5, kTokens, {0, 1}, {4, 4})), Code::invalid, "subject 0");
  routing = routing_of();
  routing.source = GateSource::halves;
  EXPECT_ERROR(check_routing(routing, TokenGroups::of(5, kTokens, {1}, {4})), Code::invalid, "two subjects");
  EXPECT_ERROR(TokenGroups::of(5, kTokens, {1}, {4, 4}), Code::internal, "caption");
}

}  // namespace
}  // namespace conceptd::diffusion
