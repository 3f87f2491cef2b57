// Goal: several references beside one picture, through the whole model: what is masked is not noticed, what is not
// adapted is the base bit for bit, and the base itself stays as it was. Method: a small random MM-DiT and the
// invariants of MUSAR's specification (A12) by number.
#include "diffusion/edits/routed.h"

#include <gtest/gtest.h>

#include "diffusion/packed_latents.h"
#include "diffusion/reference_input.h"
#include "diffusion/weights.h"
#include "tests/diffusion/golden_flux.h"
#include "tests/support/expect_error.h"

namespace conceptd::diffusion {
namespace {

constexpr int64_t kHeight = 3, kWidth = 4, kTokens = kHeight * kWidth;

using Edits = Routed::Edits;

struct Scene {
  explicit Scene(std::size_t subjects, int64_t rows = 1) {
    torch::manual_seed(6);
    const auto& config = model->config;
    const auto channels = config.in_channels / 4;
    prompt = {torch::randn({rows, 5, config.joint_attention_dim}), torch::randn({rows, config.pooled_projection_dim})};
    latents = torch::randn({rows, channels, 2 * kHeight, 2 * kWidth});
    for (std::size_t k = 0; k < subjects; ++k)
      references.push_back({torch::randn({channels, 4, 4}), torch::randn({2, config.joint_attention_dim}), {}});
  }
  ReferencedInput made() const { return referenced_input(prompt, latents, .7, references, options); }
  Tensor run(const Routing& routing, const Edits& picture = nullptr, const Edits& of_references = nullptr) {
    const auto now = made();
    Routed routed(now.groups, routing, picture, of_references);
    return model(now.input, routed);
  }
  Tensor vanilla() {
    Adaptation frozen;
    return pack_latents(flux_velocity(model, prompt, latents, .7, frozen));
  }
  // A branch at every layer that tokens of the picture stream pass.
  Edits branch(double size, bool only_one_site = false) {
    auto set = std::make_shared<EditSet>();
    for (const auto& item : model->named_modules("", false)) {
      const auto* layer = dynamic_cast<const AdaptedLinearImpl*>(item.value().get());
      const auto& path = item.key();
      const bool joint = path.starts_with("transformer_blocks.") && path.find("add_") == path.npos &&
                         path.find("_context") == path.npos && path.find("to_add") == path.npos;
      if (!layer || !(joint || path.starts_with("single_transformer_blocks.") || path == "x_embedder")) continue;
      const auto out = layer->weight.size(0), in = layer->weight.size(1);
      set->sites[path].low_rank.push_back({torch::randn({2, in}) / std::sqrt(in), size * torch::randn({out, 2}), .5});
      if (only_one_site) break;
    }
    return set;
  }
  std::size_t attentions() const {
    return static_cast<std::size_t>(model->config.num_layers + model->config.num_single_layers);
  }
  FluxTransformer2DModel model = golden_flux("tiny-flux-schnell");
  FluxPrompt prompt;
  Tensor latents;
  std::vector<Reference> references;
  ReferenceOptions options;
};

Routing routing_of(bool dynamic = true) { return {.dynamic = dynamic, .height = kHeight, .width = kWidth}; }
Routing owned_by(const Tensor& owner) {
  auto routing = routing_of();
  routing.source = GateSource::given, routing.given = owner, routing.empty = EmptyCell::strict;
  return routing;
}
double difference(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST(Routed, WithoutReferencesItIsTheModelAlone) {  // A12-2
  const torch::NoGradGuard guard;
  Scene scene(0);
  EXPECT_LE(difference(scene.run(routing_of(false)), scene.vanilla()), 1e-5);
  EXPECT_LE(difference(scene.run(routing_of(false), nullptr, scene.branch(.5)), scene.vanilla()), 1e-5);
  EXPECT_GT(difference(scene.run(routing_of(false), scene.branch(.5)), scene.vanilla()), 1e-2);
}

TEST(Routed, WhatNobodyMaySeeChangesNothingAtFullDepth) {  // A12-3
  const torch::NoGradGuard guard;
  Scene scene(2);
  const auto nobody = owned_by(torch::full({1, kTokens}, -1, torch::kLong));
  EXPECT_LE(difference(scene.run(nobody, nullptr, scene.branch(.5)), scene.vanilla()), 1e-5);
  EXPECT_GT(difference(scene.run(routing_of(false)), scene.vanilla()), 1e-3);
  Routing unmasked = routing_of(false);
  unmasked.masks = false;
  EXPECT_GT(difference(scene.run(unmasked), scene.run(routing_of(false))), 1e-4);
}

TEST(Routed, TheOrderOfTheSubjectsDoesNotMatter) {  // A12-8
  const torch::NoGradGuard guard;
  Scene scene(2);
  for (const bool dynamic : {false, true}) {
    auto now = scene.made();
    Routed routed(now.groups, routing_of(dynamic));
    const auto before = scene.model(now.input, routed);
    const auto swap = [](const Tensor& x, int64_t dim, int64_t from) {  // the two equal ends of a stream
      const auto half = (x.size(dim) - from) / 2;
      return torch::cat({x.slice(dim, 0, from), x.slice(dim, from + half), x.slice(dim, from, from + half)}, dim);
    };
    auto& in = now.input;
    in.image = swap(in.image, 1, kTokens), in.text = swap(in.text, 1, 5), in.image_ids = swap(in.image_ids, 0, kTokens);
    Routed again(now.groups, routing_of(dynamic));
    EXPECT_LE(difference(scene.model(in, again), before), 1e-5);
    for (const auto& [site, owner] : routed.owners())
      EXPECT_TRUE(torch::equal(1 - owner, again.owners().at(site))) << site;
    EXPECT_EQ(routed.owners().size(), dynamic ? scene.attentions() : 0);
  }
}

TEST(Routed, OneSubjectOwnsEverything) {  // A12-11
  const torch::NoGradGuard guard;
  Scene scene(1);
  EXPECT_TRUE(torch::equal(scene.run(routing_of(true)), scene.run(routing_of(false))));
}

TEST(Routed, ABatchIsMaskedAsItsRowsAre) {  // a bias for several rows, parts for one
  const torch::NoGradGuard guard;
  Scene scene(2, 3);
  const auto together = scene.run(routing_of());
  const auto all = scene.prompt;
  const auto latents = scene.latents;
  for (int64_t row = 0; row < 3; ++row) {
    scene.prompt = {all.text.slice(0, row, row + 1), all.pooled.slice(0, row, row + 1)};
    scene.latents = latents.slice(0, row, row + 1);
    EXPECT_LE(difference(scene.run(routing_of()), together.slice(0, row, row + 1)), 1e-5);
  }
}

struct Watched : Routed {
  using Routed::Routed;
  Tensor linear(AdaptedLinearImpl& base, const Tensor& x) override {
    const auto y = Routed::linear(base, x);
    const auto plain = base.plain(x);
    auto& tokens = changed[base.site.path];
    for (int64_t k = 0; k < y.size(1); ++k) tokens.push_back(!torch::equal(y.select(1, k), plain.select(1, k)));
    return y;
  }
  std::map<std::string, std::vector<bool>> changed;  // by site and token
};

TEST(Routed, ABranchReachesItsTokensAndNoOthers) {  // A12-12
  const torch::NoGradGuard guard;
  Scene scene(2);
  const auto now = scene.made();
  const auto branch = scene.branch(.5);
  for (const bool of_picture : {true, false}) {
    Watched watched(now.groups, routing_of(), of_picture ? branch : nullptr, of_picture ? nullptr : branch);
    scene.model(now.input, watched);
    for (const auto& [path, tokens] : watched.changed) {
      if (!branch->sites.contains(path)) {
        for (const bool changed : tokens) EXPECT_FALSE(changed) << path;
        continue;
      }
      const bool modulates = path.ends_with(".linear");
      const auto before = modulates ? 1 : path.starts_with("single") ? now.groups.text.size(0) : 0;
      for (std::size_t k = 0; k < tokens.size(); ++k) {
        const auto at = static_cast<int64_t>(k) - before;
        const bool picture = modulates ? k == kOfPicture : at >= 0 && at < kTokens;
        const bool reference = modulates ? k == kOfReferences : at >= kTokens;
        EXPECT_EQ(tokens[k], of_picture ? picture : reference) << path << " token " << k;
      }
    }
  }
  const auto nothing = scene.branch(0);
  EXPECT_LE(difference(scene.run(routing_of(), nothing, nothing), scene.run(routing_of())), 1e-6);
}

TEST(Routed, GradientsReachTheBranchesAloneAndNotPastAMask) {  // A12-13
  Scene scene(2);
  const auto before = parameter_digest(*scene.model);
  auto branch = std::make_shared<EditSet>(*scene.branch(.5));
  std::vector<Tensor> leaves;
  for (auto& [path, site] : branch->sites) leaves.push_back(site.low_rank[0].down.requires_grad_());
  scene.run(routing_of(), nullptr, branch).pow(2).mean().backward();
  double most = 0;
  for (const auto& leaf : leaves) most = std::max(most, leaf.grad().abs().max().item<double>());
  EXPECT_GT(most, 0);
  for (auto& leaf : leaves) leaf.mutable_grad() = Tensor();
  scene.run(owned_by(torch::full({1, kTokens}, -1, torch::kLong)), nullptr, branch).pow(2).mean().backward();
  for (const auto& leaf : leaves) EXPECT_TRUE(!leaf.grad().defined() || leaf.grad().abs().max().item<double>() == 0);
  for (const auto& parameter : scene.model->parameters()) EXPECT_FALSE(parameter.grad().defined());
  EXPECT_EQ(parameter_digest(*scene.model), before);
}

TEST(Routed, AnUnownedSubjectStaysInSightUnlessTheGateIsStrict) {  // A12-18
  const torch::NoGradGuard guard;
  Scene scene(2);
  auto routing = owned_by(torch::zeros({1, kTokens}, torch::kLong));
  const auto strict = scene.run(routing);
  routing.empty = EmptyCell::open;
  const auto open = scene.run(routing);
  EXPECT_GT(difference(strict, open), 1e-4);
  EXPECT_LE(difference(open, scene.run(routing_of(false))), 1e-5);  // 0 owns all and 1 is open: the static mask
}

TEST(Routed, StepsAndBlocksAreGatedAsTheySay) {
  const torch::NoGradGuard guard;
  Scene scene(2);
  const auto now = scene.made();
  auto routing = routing_of();
  routing.ungated = .5;
  Routed half(now.groups, routing);
  half.begin_step(1, 4);
  const auto early = scene.model(now.input, half);
  EXPECT_TRUE(half.owners().empty());
  EXPECT_TRUE(torch::equal(early, scene.run(routing_of(false))));
  half.begin_step(2, 4);
  EXPECT_TRUE(torch::equal(scene.model(now.input, half), scene.run(routing_of())));
  routing = routing_of();
  routing.scope = GateScope::shared, routing.shared_site = "single_transformer_blocks.0.attn";
  Routed shared(now.groups, routing);
  shared.begin_step(0, 4);
  scene.model(now.input, shared);
  EXPECT_FALSE(shared.owners().contains("transformer_blocks.0.attn"));
  EXPECT_EQ(static_cast<int64_t>(shared.owners().size()), scene.model->config.num_single_layers);
  for (const auto& [site, owner] : shared.owners())
    EXPECT_TRUE(torch::equal(owner, shared.owners().at("single_transformer_blocks.0.attn"))) << site;
}

TEST(Routed, RefusesEditsThatItCannotChoose) {
  Scene scene(1);
  const auto groups = scene.made().groups;
  const auto refused = [&](const std::string& path, const SiteEdits& edits, const char* part) {
    auto set = std::make_shared<EditSet>();
    set->sites[path] = edits;
    EXPECT_ERROR(Routed(groups, routing_of(), set), Code::invalid, part);
  };
  SiteEdits low_rank, residual;
  low_rank.low_rank.push_back({torch::ones({1, 2}), torch::ones({2, 1})});
  residual.residual.push_back({torch::ones({2}), {1}});
  refused("transformer_blocks.0.attn.add_q_proj", low_rank, "reads text alone");
  refused("transformer_blocks.0.ff_context.net.2", low_rank, "reads text alone");
  refused("context_embedder", low_rank, "reads text alone");
  refused("time_text_embed.text_embedder.linear_1", low_rank, "reads text alone");
  refused("x_embedder", residual, "low-rank");
  Routed routed(TokenGroups::of(4, kTokens, {1}, {4}), routing_of());
  const auto now = scene.made();
  EXPECT_ERROR(scene.model(now.input, routed), Code::internal, "are not those of the groups");
}

TEST(ReferencedInput, PutsReferencesBesideTheCanvas) {  // A12-14
  Scene scene(3);
  const auto ids_at = [&](ReferencePlace place) {
    scene.options.place = place;
    return scene.made().input.image_ids;
  };
  const auto diagonal = ids_at(ReferencePlace::diagonal);
  std::set<std::pair<float, float>> places;
  for (int64_t k = 0; k < diagonal.size(0); ++k)
    places.emplace(diagonal[k][1].item<float>(), diagonal[k][2].item<float>());
  EXPECT_EQ(static_cast<int64_t>(places.size()), diagonal.size(0)) << "no two tokens stand at one place";
  const auto at = [&](const Tensor& ids, int64_t k) {
    return std::pair(ids[kTokens + k][1].item<float>(), ids[kTokens + k][2].item<float>());
  };
  EXPECT_EQ(at(diagonal, 0), std::pair(3.f, 4.f));
  EXPECT_EQ(at(diagonal, 4), std::pair(5.f, 6.f));
  EXPECT_EQ(at(diagonal, 8), std::pair(7.f, 8.f));
  EXPECT_EQ(at(ids_at(ReferencePlace::down), 4), std::pair(5.f, 0.f));
  EXPECT_EQ(at(ids_at(ReferencePlace::right), 4), std::pair(0.f, 6.f));
  EXPECT_EQ(at(ids_at(ReferencePlace::on_canvas), 4), std::pair(0.f, 0.f));
  EXPECT_ERROR(ids_at(ReferencePlace::left), Code::invalid, "one reference");
  scene.references.resize(1);
  EXPECT_EQ(at(ids_at(ReferencePlace::left), 0), std::pair(0.f, -2.f));
}

TEST(ReferencedInput, ReferencesAreTimelessUnlessTheyShareTheTime) {
  Scene scene(1);
  const auto apart = scene.made();
  EXPECT_TRUE(torch::allclose(apart.input.timestep, torch::tensor({{.7f, .7f, 0.f, 0.f}})));
  EXPECT_EQ(apart.input.answered, kTokens);
  scene.options.shared_time = true;
  EXPECT_TRUE(torch::allclose(scene.made().input.timestep, torch::full({1, 4}, .7f)));
  scene.options.own_pooled = true;
  EXPECT_ERROR(scene.made(), Code::invalid, "own_pooled");
  scene.references[0].pooled = torch::ones({scene.model->config.pooled_projection_dim});
  const auto own = scene.made().input.pooled;
  EXPECT_TRUE(torch::equal(own.slice(1, 0, 2), scene.prompt.pooled.unsqueeze(1).expand_as(own.slice(1, 0, 2))));
  EXPECT_EQ(own.slice(1, 2).min().item<float>(), 1);
  scene.references[0].latents = torch::zeros({3, 4, 4});
  EXPECT_ERROR(scene.made(), Code::invalid, "references");
  scene.references[0] = {torch::zeros({scene.latents.size(1), 4, 4}), torch::zeros({2, 3}), {}};
  EXPECT_ERROR(scene.made(), Code::invalid, "captions");
}

TEST(ReferencedInput, GoesThroughTheModelAsLatents) {
  const torch::NoGradGuard guard;
  Scene scene(2);
  const auto made = scene.made();
  Routed routed(made.groups, routing_of());
  const auto velocity =
      referenced_velocity(scene.model, scene.prompt, scene.latents, .7, scene.references, scene.options, routed);
  EXPECT_EQ(velocity.sizes(), scene.latents.sizes());
  EXPECT_TRUE(torch::equal(pack_latents(velocity), scene.run(routing_of())));  // twice the same, bit for bit
}

}  // namespace
}  // namespace conceptd::diffusion
