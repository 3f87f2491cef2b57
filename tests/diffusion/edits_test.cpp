// Goal: an edit does what its paper's equation says, where its concept is and nowhere else.
// Method: the numbers and invariants of perfusion_and_infusion.md, A10 (the number of each stands at its test), on
// small random layers; then whole UNets: rank-one weights against the golden of merged weights, and batches whose rows
// have concepts of their own against the same rows alone.
#include <gtest/gtest.h>

#include <cstdio>
#include <ctime>
#include <thread>

#include "diffusion/edits/edited.h"
#include "tests/diffusion/golden_models.h"
#include "tests/support/expect_error.h"

namespace conceptd::diffusion {
namespace {

constexpr double kBeta = .75, kTau = .1;

double worst(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

Tensor random_covariance(int64_t c) {
  const auto rows = torch::randn({4 * c, c}, torch::kDouble);
  return torch::matmul(rows.t(), rows) / static_cast<double>(4 * c);
}

RankOne rank_one(const Tensor& covariance, const Tensor& input, const Tensor& output, double bias = kBeta,
                 double temperature = kTau) {
  const auto solved = torch::linalg_solve(covariance, input.to(torch::kDouble));
  return {input, (solved / solved.dot(input.to(torch::kDouble))).to(torch::kFloat), output, bias, temperature};
}

struct Layer {  // one frozen layer and its text encoding
  explicit Layer(int64_t c = 12, int64_t out = 7) : covariance(random_covariance(c)) {
    weight = torch::randn({out, c});
    x = torch::randn({2, 5, c});
    y = torch::linear(x, weight);
    input = torch::randn({c});
    output = torch::randn({out});
  }
  RankOne edit(double bias = kBeta, double temperature = kTau) const {
    return rank_one(covariance, input, output, bias, temperature);
  }
  Tensor run(const std::vector<RankOne>& edits) const { return apply_edits(edits, weight, x, y); }
  Tensor covariance, weight, x, y, input, output;
};

class Edits : public testing::Test {
 protected:
  void SetUp() override { torch::manual_seed(17); }
};
using RankOneEdit = Edits;
using EditedModel = Edits;

TEST_F(RankOneEdit, GivesTheWorkedNumbers) {  // A10-17
  const auto inverse = torch::tensor({{2., .5, 0.}, {.5, 1., 0.}, {0., 0., 4.}}, torch::kDouble);
  const auto covariance = torch::linalg_inv(inverse);
  const auto weight = torch::tensor({{1.f, 2.f, 3.f}, {4.f, 5.f, 6.f}});
  const auto x = torch::tensor({{{1.f, 0.f, 0.f}, {0.f, 1.f, 0.f}, {0.f, 0.f, 1.f}, {1.f, 1.f, 1.f}}});
  const auto first = rank_one(covariance, torch::tensor({1.f, 0.f, 0.f}), torch::tensor({10.f, -10.f}));
  const std::vector<RankOne> one{first};
  const auto gates = rank_one_gates(one, x);
  EXPECT_LE(worst(gates.similarity.flatten(), torch::tensor({1.f, .25f, 0.f, 1.25f})), 1e-6);
  EXPECT_LE(worst(gates.gate.flatten(), torch::tensor({.92414182f, .00669285f, .00055278f, .99330715f})), 1e-6);
  const auto h = apply_edits(one, weight, x, torch::linear(x, weight));
  const auto expected = torch::tensor(
      {{{9.2414182f, -9.2414182f}, {1.8169285f, 3.9330715f}, {3.0055278f, 5.9944722f}, {14.6830715f, .0669285f}}});
  EXPECT_LE(worst(h, expected), 2e-6);

  const std::vector<RankOne> two{first, rank_one(covariance, torch::tensor({0.f, 1.f, 0.f}), torch::zeros({2}))};
  const auto both = rank_one_gates(two, x.slice(1, 3));
  EXPECT_LE(worst(both.similarity.flatten(), torch::tensor({1.25f, 1.5f})), 1e-6);
  // e⊥ = (0, 0, 1): both coordinates of (1, 1, 1) are exactly one.
  EXPECT_LE(worst(both.coordinates.flatten(), torch::ones({2})), 1e-6);
}

TEST_F(RankOneEdit, IsRomesEditWhereTheGateIsTheSimilarity) {  // A10-1
  const Layer layer;
  const auto edit = layer.edit();
  auto gates = rank_one_gates(std::vector{edit}, layer.x);
  gates.gate = gates.similarity;
  const auto rome = layer.weight + torch::outer(layer.output - torch::mv(layer.weight, layer.input), edit.key);
  EXPECT_LE(worst(apply_edits(std::vector{edit}, gates, layer.weight, layer.y), torch::linear(layer.x, rome)), 2e-5);
}

TEST_F(RankOneEdit, YieldsTheGatedOutputAtItsInput) {  // A10-2
  Layer layer;
  layer.x = layer.input.view({1, 1, -1});
  layer.y = torch::linear(layer.x, layer.weight);
  const auto gate = 1 / (1 + std::exp(-(1 - kBeta) / kTau));
  EXPECT_LE(worst(layer.run({layer.edit()}).flatten(), gate * layer.output), 2e-5);
}

TEST_F(RankOneEdit, RemovesItsInputFromEveryToken) {  // A10-3, A10-8
  const Layer layer;
  const auto second = torch::randn({12});
  const std::vector<RankOne> edits{layer.edit(), rank_one(layer.covariance, second, torch::randn({7}))};
  for (const auto& edit : edits) EXPECT_NEAR(edit.key.dot(edit.input).item<double>(), 1, 1e-5);
  const auto gates = rank_one_gates(edits, layer.x);
  const auto rest = layer.x - torch::matmul(gates.coordinates, torch::stack({layer.input, second}));  // e⊥
  const auto left =
      torch::matmul(rest.to(torch::kDouble),
                    torch::linalg_solve(layer.covariance, torch::stack({layer.input, second}).t().to(torch::kDouble)));
  EXPECT_LE(left.abs().max().item<double>(), 1e-4);

  // The same projection by Cholesky of C⁻¹ and QR, as the paper's appendix B and [CD] do it.
  const auto root = torch::linalg_cholesky(torch::linalg_inv(layer.covariance)).t();
  const auto basis =
      std::get<0>(torch::linalg_qr(torch::matmul(root, torch::stack({layer.input, second}).t().to(torch::kDouble))));
  const auto white = torch::matmul(layer.x.to(torch::kDouble), root.t());
  const auto expected =
      torch::matmul(white - torch::matmul(torch::matmul(white, basis), basis.t()), torch::linalg_inv(root).t());
  EXPECT_LE(worst(rest, expected.to(torch::kFloat)), 1e-5);
}

TEST_F(RankOneEdit, DoesNotSeeTheScaleOfTheCovarianceButThatOfItsInput) {  // A10-4
  Layer layer;
  const auto h = layer.run({layer.edit()});
  for (const double a : {1e-3, 7.}) {
    Layer scaled = layer;
    scaled.covariance = layer.covariance * a;
    EXPECT_LE(worst(scaled.run({scaled.edit()}), h), 1e-5);
  }
  Layer larger = layer;
  larger.input = layer.input * 3;
  const auto gates = rank_one_gates(std::vector{layer.edit()}, layer.x);
  const auto other = rank_one_gates(std::vector{larger.edit()}, layer.x);
  EXPECT_LE(worst(other.similarity * 3, gates.similarity), 1e-5);
}

TEST_F(RankOneEdit, LeaksWhereTheGateIsClosedAndIsTheBaseOnlyInTheLimit) {  // A10-5, A10-6
  Layer layer;
  auto token = torch::randn({12});
  const auto edit = layer.edit();
  token = token - edit.key.dot(token) * layer.input;  // s = 0
  layer.x = token.view({1, 1, -1});
  layer.y = torch::linear(layer.x, layer.weight);
  const auto leak = 1 / (1 + std::exp(kBeta / kTau));
  EXPECT_LE(worst(layer.run({edit}), layer.y + leak * layer.output), 1e-5);
  EXPECT_LE(worst(layer.run({layer.edit(1e9)}), layer.y), 1e-5);
}

TEST_F(RankOneEdit, GateFallsWithTheBiasAndRisesWithTheSimilarity) {  // A10-7
  const Layer layer;
  Tensor before;
  for (const double bias : {.4, .6, .7, .9}) {
    const auto gate = rank_one_gates(std::vector{layer.edit(bias, 1)}, layer.x).gate;
    EXPECT_TRUE(((gate > 0) & (gate < 1)).all().item<bool>());
    EXPECT_TRUE(!before.defined() || (gate < before).all().item<bool>());
    before = gate;
  }
  const auto gates = rank_one_gates(std::vector{layer.edit(.7, 1)}, layer.x);
  const auto order = gates.similarity.flatten().argsort();
  EXPECT_TRUE((gates.gate.flatten().index_select(0, order).diff() > 0).all().item<bool>());
}

TEST_F(RankOneEdit, StandsBesideOthersInAnyOrderButNotBesideItself) {  // A10-8, A10-9
  const Layer layer;
  const auto one = layer.edit(), two = rank_one(layer.covariance, torch::randn({12}), torch::randn({7}), .6, .15);
  EXPECT_LE(worst(layer.run({one, two}), layer.run({two, one})), 1e-5);
  EXPECT_ERROR(layer.run({one, two, one}), Code::conflict, "same concept twice");
  auto nearly = one;
  nearly.input = one.input * 2;
  nearly.key = one.key / 2;
  EXPECT_ERROR(layer.run({one, nearly}), Code::conflict, "same concept twice");
  // C⁻¹-orthogonal inputs: the exact projector is the approximate one.
  const auto apart = torch::randn({12});
  const auto orthogonal = rank_one(layer.covariance, apart - one.key.dot(apart) * one.input, torch::randn({7}));
  const auto gates = rank_one_gates(std::vector{one, orthogonal}, layer.x);
  EXPECT_LE(worst(gates.coordinates, gates.similarity), 1e-5);
  const auto oblique = rank_one_gates(std::vector{one, two}, layer.x);
  EXPECT_GT(worst(oblique.coordinates, oblique.similarity), 1e-3);
}

TEST_F(RankOneEdit, FastFormIsTheRowWiseOneAndItsGradientsAreRight) {  // A10-10
  const Layer layer;
  auto edit = layer.edit();
  edit.output = layer.output.clone().requires_grad_();
  const auto x = layer.x.clone().requires_grad_();
  const auto delta = torch::randn({2, 5, 7});
  const auto h = apply_edits(std::vector{edit}, layer.weight, x, torch::linear(x, layer.weight));
  (h * delta).sum().backward();

  const torch::NoGradGuard no_grad;
  const auto s = torch::matmul(layer.x, edit.key), g = torch::sigmoid((s - kBeta) / kTau);  // (2, 5)
  const auto rest = layer.x - s.unsqueeze(-1) * layer.input;
  EXPECT_LE(worst(h, torch::linear(rest, layer.weight) + g.unsqueeze(-1) * layer.output), 1e-5);  // eq.
  EXPECT_LE(worst(edit.output.grad(), (g.unsqueeze(-1) * delta).sum(0).sum(0)), 1e-5);
  const auto along = g * (1 - g) / kTau * torch::matmul(delta, layer.output) -
                     torch::matmul(delta, torch::mv(layer.weight, layer.input));
  const auto expected = torch::matmul(delta, layer.weight) + along.unsqueeze(-1) * edit.key;
  EXPECT_LE(worst(x.grad(), expected), 1e-4);
}

TEST_F(Edits, ResidualStandsAtItsTokensOnly) {
  const auto y = torch::randn({2, 5, 7}), r = torch::randn({7});
  const auto out = apply_edits(std::vector<TokenResidual>{{r, {3, 1}}}, y);
  for (const int64_t token : {0, 2, 4}) EXPECT_TRUE(torch::equal(out.select(1, token), y.select(1, token)));
  for (const int64_t token : {1, 3}) EXPECT_LE(worst(out.select(1, token), y.select(1, token) + r), 1e-6);
  EXPECT_TRUE(torch::equal(apply_edits(std::vector<TokenResidual>{{r, {}}}, y), y));
}

TEST_F(Edits, JoinSiteBySite) {
  EditSet a, b;
  a.sites["x"].low_rank.resize(1);
  b.sites["x"].low_rank.resize(2);
  b.sites["y"].rank_one.resize(1);
  b.tokens.resize(1);
  add_edits(a, b);
  EXPECT_EQ(a.sites.at("x").low_rank.size(), 3u);
  EXPECT_EQ(a.sites.at("y").rank_one.size(), 1u);
  EXPECT_EQ(a.tokens.size(), 1u);
}

// Two frozen layers that read one encoding, each with edits of its own.
struct Pair : torch::nn::Module {
  Pair() {
    first = register_module("first", AdaptedLinear(12, 7, false));
    second = register_module("second", AdaptedLinear(12, 5, false));
    name_sites(*this);
    for (auto& parameter : parameters()) parameter.requires_grad_(false);
  }
  AdaptedLinear first{nullptr}, second{nullptr};
};

TEST_F(Edits, SitesShareGatesOnlyWhereTheirConceptsAreTheSame) {
  const Layer layer;
  Pair pair;
  const auto a = layer.edit();
  auto b = rank_one(layer.covariance, torch::randn({12}), torch::randn({5})), on_second = a;
  on_second.output = torch::randn({5});
  auto set = std::make_shared<EditSet>();
  set->sites["first"].rank_one = {a};
  set->sites["second"].rank_one = {on_second, b};
  Edited edited({set, set});
  const auto expect_own = [&](AdaptedLinear& linear) {
    const auto& edits = set->sites.at(linear->site.path).rank_one;
    const auto expected = apply_edits(edits, linear->weight, layer.x, linear->plain(layer.x));
    EXPECT_TRUE(torch::equal(linear(layer.x, edited), expected)) << linear->site.path;
  };
  for (auto* linear : {&pair.first, &pair.second, &pair.first}) expect_own(*linear);
  set->sites["second"].rank_one = {on_second};
  expect_own(pair.second);
  set->sites["second"].rank_one[0].bias = .1;
  expect_own(pair.second);
}

TEST_F(Edits, GatesOfAQuietPassDoNotCutTheGradientOfTheNext) {
  const Layer layer;
  Pair pair;
  auto set = std::make_shared<EditSet>();
  set->sites["first"].rank_one = {layer.edit()};
  const auto gradient = [&](bool quiet_pass_before) {
    const auto x = layer.x.clone().requires_grad_();
    Edited edited({set, set});
    if (quiet_pass_before) {
      const torch::NoGradGuard teacher;
      pair.first(x, edited);
    }
    pair.first(x, edited).square().sum().backward();
    return x.grad();
  };
  EXPECT_TRUE(torch::equal(gradient(true), gradient(false)));
}

TEST_F(Edits, ANewPromptIsComputedAnew) {
  const torch::NoGradGuard no_grad;
  Pair pair;
  Edited edited({nullptr, nullptr});
  auto context = torch::randn({2, 5, 12});
  edited.begin_prompt({context});
  const auto first = pair.first(context, edited);
  EXPECT_TRUE(pair.first(context, edited).is_same(first)) << "remembered";
  context.mul_(2);  // the same tensor, another prompt
  edited.begin_prompt({context});
  EXPECT_TRUE(torch::equal(pair.first(context, edited), pair.first->plain(context)));
  edited.begin_prompt({});
  EXPECT_FALSE(pair.first(context, edited).is_same(pair.first(context, edited)));
}

// The golden UNet, and concepts that edit every cross-attention key and value site of it.
struct Golden {
  std::vector<AdaptedLinearImpl*> cross_attention() const {
    std::vector<AdaptedLinearImpl*> found;
    for (const auto& item : unet->named_modules()) {
      auto* attention = dynamic_cast<AttentionImpl*>(item.value().get());
      if (attention && item.key().ends_with("attn2")) {
        found.insert(found.end(), {attention->to_k.get(), attention->to_v.get()});
      }
    }
    return found;
  }
  std::shared_ptr<const EditSet> learnt(const Tensor& input) const {
    auto set = std::make_shared<EditSet>();
    const auto shared = rank_one(covariance, input, {}, .6, .15);
    for (auto* layer : cross_attention()) {
      auto edit = shared;
      edit.output = torch::randn({layer->weight.size(0)});
      set->sites[layer->site.path].rank_one.push_back(edit);
    }
    return set;
  }
  Tensor run(Adaptation& adapt) {
    return unet(tensors.at("sample"), tensors.at("timestep"), tensors.at("encoder_hidden_states"), adapt);
  }
  UNet2DConditionModel unet = golden_unet();
  TensorMap tensors = golden_tensors("unet_cross_attn_kv.safetensors");
  Tensor covariance = random_covariance(unet->config.cross_attention_width);
};

TEST_F(EditedModel, LowRankEqualsMergedWeights) {
  const torch::NoGradGuard no_grad;
  Golden golden;
  auto set = std::make_shared<EditSet>();
  for (auto* layer : golden.cross_attention()) {
    const auto& u = golden.tensors.at("rank1." + layer->site.path + ".u");
    const auto& v = golden.tensors.at("rank1." + layer->site.path + ".v");
    set->sites[layer->site.path].low_rank.push_back({v.unsqueeze(0), u.unsqueeze(1)});
  }
  const auto& expected = golden.tensors.at("rank1.out");
  Edited edited(Edited::Rows(static_cast<std::size_t>(expected.size(0)), set));
  test::expect_close(golden.run(edited), expected, kNetworkLimit, "rank1.out");
  for (auto& [site, edits] : set->sites) {  // the same as whole differences
    auto& edit = edits.low_rank[0];
    edit = {Tensor(), torch::matmul(edit.up, edit.down)};
  }
  Edited whole(Edited::Rows(static_cast<std::size_t>(expected.size(0)), set));
  test::expect_close(golden.run(whole), expected, kNetworkLimit, "rank1.out, whole");
}

TEST_F(EditedModel, IsTheBaseBitForBitWithoutEdits) {  // A10-6, decision 4
  const torch::NoGradGuard no_grad;
  Golden golden;
  const auto batch = static_cast<std::size_t>(golden.tensors.at("sample").size(0));
  ASSERT_GE(batch, 2u);
  Adaptation plain;
  const auto base = golden.run(plain);
  Edited none(Edited::Rows(batch, nullptr)), empty(Edited::Rows(batch, std::make_shared<EditSet>()));
  EXPECT_TRUE(torch::equal(golden.run(none), base));
  EXPECT_TRUE(torch::equal(golden.run(empty), base));

  // One row with a concept leaves the others what they were.
  Edited::Rows rows(batch, nullptr);
  rows[1] = golden.learnt(golden.tensors.at("encoder_hidden_states")[1][5]);
  Edited one(rows);
  const auto mixed = golden.run(one);
  EXPECT_TRUE(torch::equal(mixed[0], base[0]));
  EXPECT_GT(worst(mixed[1], base[1]), 1e-2);
}

TEST_F(EditedModel, GivesEveryRowItsOwnConcepts) {  // decision 3
  const torch::NoGradGuard no_grad;
  Golden golden;
  const auto& context = golden.tensors.at("encoder_hidden_states");
  const auto a = golden.learnt(context[0][5]), b = golden.learnt(context[1][7]);
  auto both = std::make_shared<EditSet>(*a);
  add_edits(*both, *b);
  Edited all_a({a, a}), all_b({b, b}), all_both({both, both}), mixed({a, b}), half({both, nullptr});
  const auto run_a = golden.run(all_a), run_b = golden.run(all_b), run_both = golden.run(all_both);
  const auto run_mixed = golden.run(mixed), run_half = golden.run(half);
  EXPECT_LE(worst(run_mixed[0], run_a[0]), 2e-5);
  EXPECT_LE(worst(run_mixed[1], run_b[1]), 2e-5);
  EXPECT_LE(worst(run_half[0], run_both[0]), 2e-5);
  EXPECT_GT(worst(run_a[0], run_both[0]), 1e-3);
}

TEST_F(EditedModel, RemembersWhatAConstantContextYields) {  // decision 2
  Golden golden;
  const auto concept_set = golden.learnt(golden.tensors.at("encoder_hidden_states")[0][5]);
  const torch::NoGradGuard no_grad;
  Edited fresh({concept_set, nullptr}), kept({concept_set, nullptr});
  const auto expected = golden.run(fresh);
  kept.begin_prompt({golden.tensors.at("encoder_hidden_states")});
  EXPECT_TRUE(torch::equal(golden.run(kept), expected));
  EXPECT_TRUE(torch::equal(golden.run(kept), expected));
  // Another context is not mistaken for it, and gradients are never remembered away.
  golden.tensors["encoder_hidden_states"] = golden.tensors.at("encoder_hidden_states") * 1.5;
  EXPECT_TRUE(torch::equal(golden.run(kept), golden.run(fresh)));
  kept.begin_prompt({golden.tensors.at("encoder_hidden_states")});
  golden.run(kept);
  {
    const torch::AutoGradMode grad(true);
    auto trained = std::make_shared<EditSet>(*concept_set);
    auto& output = trained->sites.begin()->second.rank_one[0].output;
    output = output.clone().requires_grad_();
    Edited learning({trained, nullptr});
    learning.begin_prompt({golden.tensors.at("encoder_hidden_states")});
    {
      const torch::NoGradGuard teacher;
      golden.run(learning);
    }
    golden.run(learning).sum().backward();
    EXPECT_GT(output.grad().abs().sum().item<double>(), 0);
    for (const auto& parameter : golden.unet->parameters()) EXPECT_FALSE(parameter.grad().defined());
  }
  const auto milliseconds = [&](Edited& adapt) {  // of the processor: others use it, too
    const auto start = std::clock();
    for (int k = 0; k < 5; ++k) golden.run(adapt);
    return 1e3 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / 5;
  };
  std::printf("one UNet call: %.2f ms, with remembered keys and values %.2f ms\n", milliseconds(fresh),
              milliseconds(kept));
}

TEST_F(EditedModel, ServesTwoThreadsWithTwoConceptSets) {
  const torch::NoGradGuard no_grad;
  Golden golden;
  const auto& context = golden.tensors.at("encoder_hidden_states");
  const auto a = golden.learnt(context[0][5]), b = golden.learnt(context[1][7]);
  const auto run = [&](const std::shared_ptr<const EditSet>& set, int times) {
    const torch::NoGradGuard quiet;
    Tensor last;
    for (int k = 0; k < times; ++k) {
      Edited edited({set, set});
      last = golden.run(edited);
    }
    return last;
  };
  const auto alone_a = run(a, 1), alone_b = run(b, 1);
  Tensor from_a, from_b;
  std::thread first([&] { from_a = run(a, 5); }), second([&] { from_b = run(b, 5); });
  first.join();
  second.join();
  EXPECT_TRUE(torch::equal(from_a, alone_a));
  EXPECT_TRUE(torch::equal(from_b, alone_b));
}

TEST_F(EditedModel, RefusesABatchThatIsNotItsOwn) {
  const torch::NoGradGuard no_grad;
  Golden golden;
  Edited wrong({golden.learnt(golden.tensors.at("encoder_hidden_states")[0][5])});
  EXPECT_ERROR(golden.run(wrong), Code::internal, "rows");
}

}  // namespace
}  // namespace conceptd::diffusion
