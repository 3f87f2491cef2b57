// Goal: the closed form of consolidation is what its equation says, whoever was there before and in whatever order.
// Method: statistics of random rows, and of random deltas on the embedded base.
#include "learner/l2dm/merge.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "diffusion/consolidated.h"
#include "diffusion/edits/merged.h"
#include "diffusion/prompt.h"
#include "diffusion/text_to_image.h"
#include "l2dm_base.h"

namespace conceptd::learner {
namespace {

constexpr int64_t kWidth = 24, kOut = 9;

ConceptStatistics random_part(int seed, int64_t rows = 3) {
  auto random = torch::make_generator<at::CPUGeneratorImpl>(static_cast<std::uint64_t>(seed));
  const auto normal = [&](at::IntArrayRef shape) { return torch::randn(shape, random, torch::kDouble); };
  return {Digest::of(std::to_string(seed)),
          normal({rows, kWidth}),
          torch::full({rows}, 1. / static_cast<double>(rows), torch::kDouble),
          {{"a", normal({rows, kOut})}, {"b", normal({rows, kOut})}}};
}

Tensor random_covariance() {
  auto random = torch::make_generator<at::CPUGeneratorImpl>(99);
  const auto rows =
      torch::randn({400, kWidth}, random, torch::kDouble) * torch::linspace(.2, 2, kWidth, torch::kDouble);
  return torch::matmul(rows.t(), rows) / 400;
}

double worst(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST(MergedStatistics, AnswerTheirOwnRowsWhereTheRidgeGoesToNothing) {  // invariant 23
  const std::vector parts{random_part(1), random_part(2), random_part(3)};
  const auto merged = merged_statistics(parts, random_covariance(), 1e-9);
  for (const auto& part : parts) {
    for (const auto& [site, answers] : part.answers)
      EXPECT_LT(worst(torch::matmul(part.rows, merged.at(site).to(torch::kDouble).t()), answers), 1e-4);
  }
}

TEST(MergedStatistics, AreCustomDiffusionsMergeInThatLimit) {
  const std::vector parts{random_part(1), random_part(2)};
  const auto c0 = random_covariance();
  std::vector<Tensor> differences, targets;
  for (const auto& part : parts) {  // a difference that says the answers at these rows
    differences.push_back(torch::matmul(torch::linalg_pinv(part.rows), part.answers.at("a")).t());
    targets.push_back(part.rows);
  }
  const auto theirs = diffusion::merged_difference(differences, targets, c0);
  EXPECT_LT(worst(merged_statistics(parts, c0, 1e-10).at("a"), theirs), 1e-3);
}

TEST(MergedStatistics, DoNotDependOnWhoCameFirst) {  // invariants 19, 21
  const auto c0 = random_covariance();
  const auto one = merged_statistics({random_part(1), random_part(2), random_part(3)}, c0, .01);
  const auto other = merged_statistics({random_part(3), random_part(1), random_part(2)}, c0, .01);
  for (const auto& [site, matrix] : one) EXPECT_TRUE(torch::equal(matrix, other.at(site)));
}

TEST(MergeSums, AreAsIfWhoWentHadNeverBeen) {  // invariant 23
  MergeSums history, fresh;
  for (const int seed : {1, 2, 3}) history.add(random_part(seed));
  history.remove(random_part(2));
  for (const int seed : {1, 3}) fresh.add(random_part(seed));
  EXPECT_LT(worst(history.keys(), fresh.keys()), 1e-6);
  for (const auto& [site, sum] : fresh.crossed()) EXPECT_LT(worst(history.crossed().at(site), sum), 1e-6);
  const auto c0 = random_covariance();
  EXPECT_LT(worst(history.solve(c0, .01).at("a"), fresh.solve(c0, .01).at("a")), 1e-5);
}

TEST(MergedStatistics, RidgeHoldsBackWhatIsNoConcepts) {
  const std::vector parts{random_part(1), random_part(2)};
  const auto c0 = random_covariance();
  double before = 1e9;
  for (const double ridge : {1e-4, 1e-2, 1.}) {  // mean change of captions, tr(M C0 M')
    const auto m = merged_statistics(parts, c0, ridge).at("a").to(torch::kDouble);
    const auto drift = torch::matmul(torch::matmul(m, c0), m.t()).trace().item<double>();
    EXPECT_LT(drift, before);
    before = drift;
  }
}

TEST(MergedStatistics, OfNobodyAreRefused) { EXPECT_THROW(merged_statistics({}, random_covariance(), .01), Error); }

class Consolidating : public testing::Test {
 protected:
  const OneThread one_thread;
  static ConceptStatistics part_of(const ConsolidationMember& member, double rest = 0) {
    return concept_statistics(embedded_base(), embedded_delta_base(), member, rest);
  }
  // What two sites say at the concept's token, by its delta and by the merge.
  static double error_of(const ConceptStatistics& part, const std::map<std::string, Tensor>& merged) {
    double error = 0;
    for (const auto& [site, answers] : part.answers) {
      const auto said = torch::matmul(part.rows, merged.at(site).to(torch::kDouble).t());
      error = std::max(error, ((said - answers).norm() / answers.norm()).item<double>());
    }
    return error;
  }
};

TEST_F(Consolidating, ADeltaAddsWhatItsEditsAdd) {
  auto& bundle = embedded_base();
  const auto member = random_member("mug-1", "mug");
  const auto edits =
      std::make_shared<const diffusion::EditSet>(diffusion::delta_edits(member.delta, embedded_delta_base()));
  const auto prompt = diffusion::prepare_prompt(bundle, "a photo of a <mug-1>", edits);
  diffusion::Edited adapt({prompt.edits});
  int sites = 0;
  for (const auto& item : bundle.unet->named_modules("", false)) {
    auto* layer = dynamic_cast<diffusion::AdaptedLinearImpl*>(item.value().get());
    if (!layer || !prompt.edits->sites.contains(item.key())) continue;
    const auto x = prompt.context.unsqueeze(0);
    const auto added = (adapt.linear(*layer, x) - layer->plain(x))[0];
    EXPECT_LT(worst(added, what_it_adds(prompt.edits->sites.at(item.key()), *layer, prompt.context)), 1e-4);
    ++sites;
  }
  EXPECT_EQ(sites, 14);
}

TEST_F(Consolidating, EveryConceptSaysAtItsTokensWhatItSaidAlone) {
  const std::vector members{random_member("mug-1", "mug"), random_member("mug-2", "mug"),
                            random_member("hat-1", "hat")};
  std::vector<ConceptStatistics> parts;
  for (const auto& member : members) parts.push_back(part_of(member));
  EXPECT_EQ(parts[0].rows.size(0), 3);  // a prompt each of the base's two templates, and one after another thing
  const auto merged = merged_statistics(parts, embedded_covariance().matrix(), .001);
  for (const auto& part : parts) EXPECT_LT(error_of(part, merged), .15);
}

TEST_F(Consolidating, TakesEveryMethodThatEditsKeysAndValues) {
  auto& bundle = embedded_base();
  const auto& base = embedded_delta_base();
  torch::manual_seed(4);
  const auto perfusion = random_member("mug-1", "mug");
  auto infusion = perfusion, custom = perfusion, lora = perfusion;
  infusion.delta.method = "infusion", infusion.delta.tensors.clear();
  for (const auto& [site, out] : base.value_sites) infusion.delta.tensors["r_V." + site] = torch::randn({out});
  custom.delta.method = "custom_diffusion";
  custom.delta.tensors = {{"w", torch::randn({2, base.text_width}) * .02}};
  for (const auto* sites : {&base.key_sites, &base.value_sites})
    for (const auto& [site, out] : *sites) custom.delta.tensors["D." + site] = torch::randn({out, base.text_width});
  lora.delta.method = "lora", lora.delta.tensors = {{"w", torch::randn({1, base.text_width}) * .02}};
  const auto& [site, out] = *base.key_sites.begin();
  lora.delta.tensors["down." + site] = torch::randn({2, base.text_width});
  lora.delta.tensors["up." + site] = torch::randn({out, 2});
  for (const auto& member : {infusion, custom, lora}) {
    EXPECT_EQ(no_consolidation(member.delta), "");
    const auto part = part_of(member);
    EXPECT_LT(error_of(part, merged_statistics({part}, embedded_covariance().matrix(), 1e-6)), .05)
        << member.delta.method;
  }
  auto elsewhere = lora;
  auto query = site;
  query.replace(query.size() - 1, 1, "q");
  elsewhere.delta.tensors["down." + query] = torch::randn({2, out});
  elsewhere.delta.tensors["up." + query] = torch::randn({out, 2});
  EXPECT_NE(no_consolidation(elsewhere.delta).find(query), std::string::npos);
  EXPECT_THROW(concept_statistics(bundle, base, elsewhere, 0), Error);
}

TEST_F(Consolidating, LeavesTheBaseAndEverySingleDeltaBitForBitAlone) {  // invariants 18 and 24
  auto& bundle = embedded_base();
  const auto& base = embedded_delta_base();
  const auto member = random_member("mug-1", "mug");
  const auto picture = [&](const std::string& text, const std::shared_ptr<const diffusion::EditSet>& edits) {
    const auto prompt = diffusion::prepare_prompt(bundle, text, edits);
    diffusion::PictureRow row{.context = prompt.context, .edits = prompt.edits, .seed = 3, .guidance = 1};
    diffusion::Steering none;
    return diffusion::denoise(bundle, {.rows = {row}, .sampler = "ddim", .steps = 2}, none);
  };
  const auto own = std::make_shared<const diffusion::EditSet>(diffusion::delta_edits(member.delta, base));
  const auto digest = bundle.parameter_digest();
  const auto alone = picture("a <mug-1> on the beach", own), plain = picture("a mug on the beach", nullptr);
  diffusion::Consolidated made{.base_fingerprint = base.fingerprint,
                               .covariance_digest = embedded_covariance().digest()};
  std::vector<ConceptStatistics> parts;
  for (const auto& one : {member, random_member("mug-2", "mug")}) {
    parts.push_back(part_of(one));
    made.members[one.delta.placeholder] = {one.digest, one.delta.class_word, one.delta.tensors.at("w")};
  }
  made.merged = merged_statistics(parts, embedded_covariance().matrix(), .01);
  const auto both = std::make_shared<const diffusion::EditSet>(diffusion::consolidated_edits(
      diffusion::parse_consolidated(consolidated_bytes(made), "test"), base, {"<mug-1>", "<mug-2>"}));
  EXPECT_FALSE(torch::equal(picture("a <mug-1> and a <mug-2>", both), plain));
  EXPECT_TRUE(torch::equal(picture("a <mug-1> on the beach", own), alone));
  EXPECT_TRUE(torch::equal(picture("a mug on the beach", nullptr), plain));
  EXPECT_EQ(bundle.parameter_digest(), digest);
}

}  // namespace
}  // namespace conceptd::learner
