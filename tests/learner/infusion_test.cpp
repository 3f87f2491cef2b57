// Goal: Infusion is what its specification says, on the real base. Method: short runs, looked at from outside; numbers
// in brackets are those of perfusion_and_infusion.md.
#include <gtest/gtest.h>

#include "diffusion/delta.h"
#include "diffusion/prompt.h"
#include "diffusion/text_to_image.h"
#include "embedded_base.h"

namespace conceptd::learner {
namespace {

using diffusion::EditSet;

Learned learn(nlohmann::json settings) {
  LearnContext context{.bundle = embedded_base()};
  return make_learner("infusion")->learn(request_for(20, settings), context);
}
const nlohmann::json kShort{{"steps", 3}, {"batch", 4}, {"preview_every", 0}};

diffusion::DeltaBase facts() { return diffusion::DeltaBase::of(embedded_base(), nullptr); }

int64_t values_of(const diffusion::Delta& delta) {
  int64_t values = 0;
  for (const auto& [name, tensor] : delta.tensors) values += tensor.numel();
  return values;
}
int64_t widths(const std::map<std::string, int64_t>& sites) {
  int64_t sum = 0;
  for (const auto& [site, out] : sites) sum += out;
  return sum;
}
double length(const diffusion::Delta& delta) {
  double squares = 0;
  for (const auto& [name, tensor] : delta.tensors) squares += tensor.square().sum().item<double>();
  return std::sqrt(squares);
}

TEST(Infusion, LearnsOneResidualACrossAttentionAndNothingElse) {  // B10-8
  const auto before = embedded_base().parameter_digest();
  const auto learned = learn(kShort);
  EXPECT_EQ(before, embedded_base().parameter_digest());
  for (const auto& parameter : embedded_base().unet->parameters()) EXPECT_FALSE(parameter.grad().defined());
  for (const auto& parameter : embedded_base().text_encoder->parameters()) EXPECT_FALSE(parameter.grad().defined());
  EXPECT_EQ(values_of(learned.delta), widths(facts().value_sites));
  for (const auto& [name, tensor] : learned.delta.tensors) {
    EXPECT_TRUE(name.starts_with(diffusion::kValueResidualPrefix)) << name;
    EXPECT_GT(tensor.abs().max().item<double>(), 0) << name << " has learnt nothing";
  }
  EXPECT_EQ(learned.metrics.at("unet_passes"), kGuessingPasses + 3 * 4 * 2) << "the frozen stream counts";
}

TEST(Infusion, BeginsAtTheBasesOwnLoss) {  // B10-1: r = 0
  const auto infusion = learn({{"steps", 1}, {"batch", 4}, {"rate", 0}, {"preview_every", 0}});
  EXPECT_EQ(infusion.metrics.at("loss_first"), infusion.metrics.at("loss_last"));
  EXPECT_EQ(length(infusion.delta), 0);
  // Textual inversion begins with the class word too, on the same photos, times and noise.
  LearnContext context{.bundle = embedded_base()};
  const auto word = make_learner("textual_inversion")
                        ->learn(request_for(20, {{"steps", 1}, {"batch", 4}, {"preview_every", 0}}), context);
  EXPECT_NEAR(infusion.metrics.at("loss_first").get<double>(), word.metrics.at("loss_first").get<double>(), 1e-6);
}

TEST(Infusion, FitsThePhotosBetterThanTheClassWord) {  // B11-U1, in seconds
  const auto learned = learn({{"steps", 40}, {"batch", 8}, {"rate", .03}, {"preview_every", 0}});
  const double first = learned.metrics.at("loss_first"), last = learned.metrics.at("loss_last");
  std::printf("masked loss %.5f -> %.5f (%.1f %% less)\n", first, last, 100 * (1 - last / first));
  EXPECT_LT(last, .985 * first);
}

TEST(Infusion, GivesTheSameDeltaForTheSameSeed) {
  EXPECT_EQ(diffusion::delta_bytes(learn(kShort).delta), diffusion::delta_bytes(learn(kShort).delta));
}

TEST(Infusion, DecaysAsAdamWDoes) {
  // The first step moves every value by the rate, whatever its gradient; the second one shrinks it before it moves.
  const auto at = [](double decay) {
    return learn({{"steps", 2}, {"batch", 2}, {"rate", .02}, {"decay", decay}, {"settle", 0}, {"preview_every", 0}});
  };
  const auto plain = at(0), decayed = at(1);
  // Of rate * decay * rate, by which the first step's move has shrunk; what follows is the same for both.
  std::vector<torch::Tensor> shares;
  for (const auto& [name, tensor] : plain.delta.tensors) {
    shares.push_back((tensor - decayed.delta.tensors.at(name)).abs() / (.02 * .02));
  }
  const auto all = torch::cat(shares);
  EXPECT_NEAR(all.max().item<double>(), 1, .01);
  EXPECT_GT((all > .99).sum().item<int64_t>(), all.size(0) / 10);  // a layer that ignores the word has no gradient
}

TEST(Infusion, InItsParityModeLearnsKeysTooAndBorrowsNoMap) {  // B11-U6
  auto settings = kShort;
  settings["kv_residual_released"] = 1;
  const auto learned = learn(settings);
  EXPECT_EQ(values_of(learned.delta), 2 * widths(facts().value_sites));
  EXPECT_EQ(learned.metrics.at("unet_passes"), kGuessingPasses + 3 * 4);
  const auto edits = diffusion::delta_edits(learned.delta, facts());
  EXPECT_FALSE(any_residual(edits, [](const auto& edit) { return edit.keeps_maps; }));
  for (const auto& [name, tensor] : learned.delta.tensors) EXPECT_GT(tensor.abs().max().item<double>(), 0) << name;
}

TEST(Infusion, IsStoredInSixBitsWhereItIsAskedTo) {
  auto settings = kShort;
  const auto plain = learn(settings);
  settings["compact"] = 1;
  const auto compact = learn(settings);
  const auto stored = diffusion::parse_delta(diffusion::delta_bytes(compact.delta), "test");
  EXPECT_TRUE(stored.compact);
  EXPECT_FALSE(plain.delta.compact);
  for (const auto& [name, tensor] : plain.delta.tensors) {
    EXPECT_TRUE(torch::equal(compact.delta.tensors.at(name), tensor)) << "learnt as ever";
    EXPECT_TRUE(torch::allclose(stored.tensors.at(name), tensor, 0, tensor.abs().max().item<double>() / 60)) << name;
  }
  EXPECT_NO_THROW(diffusion::delta_edits(stored, facts()));
}

TEST(Infusion, NamesTheSettingThatIsWrong) {
  for (const auto& [settings, field] : {std::pair<nlohmann::json, std::string>{{{"rate", -1}}, "settings.rate"},
                                        {{{"kv_residual_released", 2}}, "settings.kv_residual_released"},
                                        {{{"compact", 1}, {"kv_residual_released", 1}}, "settings.compact"},
                                        {{{"word_rate", .1}}, "settings.word_rate"}}) {
    try {
      learn(settings);
      FAIL() << settings;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::invalid);
      EXPECT_EQ(error.field(), field);
    }
  }
  auto request = request_for(20, kShort);
  request.class_word = "samovar";
  LearnContext context{.bundle = embedded_base()};
  EXPECT_THROW(make_learner("infusion")->learn(request, context), Error);
}

// A concept of large made-up residuals, as a delta would give it.
std::shared_ptr<const EditSet> invented(const std::string& name, const std::string& class_word, int seed,
                                        double size = 1) {
  torch::manual_seed(seed);
  diffusion::Delta delta{.method = "infusion",
                         .class_word = class_word,
                         .placeholder = "<" + name + ">",
                         .base_fingerprint = embedded_base().fingerprint};
  for (const auto& [site, out] : facts().value_sites)
    delta.tensors[diffusion::kValueResidualPrefix + site] = size * torch::randn({out});
  const auto stored = diffusion::parse_delta(diffusion::delta_bytes(delta), "test");
  return std::make_shared<const EditSet>(diffusion::delta_edits(stored, facts()));
}

diffusion::PictureRow row_of(const std::string& text, const std::shared_ptr<const EditSet>& edits) {
  auto& base = embedded_base();
  const auto prompt = diffusion::prepare_prompt(base, text, edits);
  diffusion::PictureRow row;
  row.context = prompt.context, row.edits = prompt.edits;
  row.negative_context = diffusion::prepare_prompt(base, "").context;
  row.seed = 3, row.guidance = 3;
  return row;
}

torch::Tensor latents_of(const std::vector<diffusion::PictureRow>& rows) {
  diffusion::Steering none;
  return diffusion::denoise(embedded_base(), {.rows = rows, .sampler = "ddim", .steps = 2}, none);
}

double worst(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST(Infusion, IsReadAsItsClassWord) {
  auto& base = embedded_base();
  const auto thing = invented("thing-1", "mug", 1);
  const auto prompt = diffusion::prepare_prompt(base, "a mug and a <thing-1> and a <thing-1>", thing);
  EXPECT_TRUE(torch::equal(prompt.context, diffusion::prepare_prompt(base, "a mug and a mug and a mug").context));
  for (const auto& [path, site] : prompt.edits->sites) {
    EXPECT_EQ(site.residual.at(0).positions, (std::vector<int64_t>{5, 8})) << "not the plain mug";
  }
  EXPECT_THROW(diffusion::prepare_prompt(base, "a mug", thing), Error) << "its word is not there";
  const auto nothing = invented("thing-1", "mug", 1, 0);
  // Equal, but for the rounding of maps that were made in a batch of another size (B9-8).
  EXPECT_LE(worst(latents_of({row_of("a <thing-1>", nothing)}), latents_of({row_of("a mug", nullptr)})), 1e-4);
}

TEST(Infusion, OfTwoThingsOfOneClassWorksAtTheirOwnWords) {  // B4; B11-U5 as far as no learning is needed
  EditSet both = *invented("thing-1", "mug", 1), swapped = *invented("thing-2", "mug", 2);
  add_edits(both, *invented("thing-2", "mug", 2));
  add_edits(swapped, *invented("thing-1", "mug", 1));
  const std::string text = "a <thing-1> and a <thing-2>", other_way = "a <thing-2> and a <thing-1>";
  const auto together = latents_of({row_of(text, std::make_shared<EditSet>(both))});
  EXPECT_LE(worst(latents_of({row_of(text, std::make_shared<EditSet>(swapped))}), together), 1e-4) << "order of adding";
  EXPECT_GT(worst(latents_of({row_of(other_way, std::make_shared<EditSet>(both))}), together), 1e-2);
}

TEST(Infusion, StandsBesideAWordOfAnotherMethodInOnePrompt) {
  EditSet both = *invented("thing-1", "mug", 1);
  EditSet word;
  word.tokens.push_back({"<thing-2>", torch::randn({1, embedded_base().text_encoder->config.hidden_size})});
  add_edits(both, word);
  const auto alone = std::make_shared<const EditSet>(word), joined = std::make_shared<const EditSet>(both);
  const auto prompt = diffusion::prepare_prompt(embedded_base(), "a <thing-2> and a <thing-1>", joined);
  EXPECT_TRUE(
      torch::equal(prompt.context, diffusion::prepare_prompt(embedded_base(), "a <thing-2> and a mug", alone).context));
  EXPECT_GT(worst(latents_of({row_of("a <thing-2> and a <thing-1>", joined)}),
                  latents_of({row_of("a <thing-2> and a mug", alone)})),
            1e-2);
}

TEST(Infusion, OfOneRowLeavesTheOthersBitForBit) {
  const auto thing = invented("thing-1", "mug", 1);
  const auto base = latents_of({row_of("a mug", nullptr), row_of("a mug", nullptr), row_of("a chair", nullptr)});
  const auto mixed = latents_of({row_of("a mug", nullptr), row_of("a <thing-1>", thing), row_of("a chair", nullptr)});
  EXPECT_TRUE(torch::equal(mixed[0], base[0]));
  EXPECT_TRUE(torch::equal(mixed[2], base[2]));
  EXPECT_GT(worst(mixed[1], base[1]), 1e-2);
}

}  // namespace
}  // namespace conceptd::learner
