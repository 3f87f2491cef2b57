// Goal: Perfusion is what its specification says, on the real base. Method: short runs, looked at from outside.
#include <gtest/gtest.h>

#include <cmath>

#include "diffusion/delta.h"
#include "diffusion/edits/apply_edits.h"
#include "diffusion/prompt.h"
#include "diffusion/text_to_image.h"
#include "diffusion/token_covariance.h"
#include "diffusion/weights.h"
#include "embedded_base.h"
#include "learner/objective.h"
#include "learner/word_embedding.h"

namespace conceptd::learner {
namespace {

Learned learn(const std::string& method, nlohmann::json settings, std::size_t held_out = 20) {
  LearnContext context{.bundle = embedded_base()};
  return make_learner(method)->learn(request_for(held_out, settings), context);
}
const nlohmann::json kShort{{"steps", 6}, {"batch", 4}, {"preview_every", 0}};

// (t, c): what the frozen text encoder makes of the class word in each of the t templates.
torch::Tensor class_encodings(const std::string& class_word) {
  auto& base = embedded_base();
  const auto prompts = fill_templates(base, templates_for(base), class_word);
  diffusion::Adaptation frozen;
  torch::NoGradGuard guard;
  return at_position(base.text_encoder(prompts.class_ids, frozen).last_hidden_state, prompts.position);
}

TEST(Perfusion, LeavesEveryByteOfTheBaseAlone) {
  const auto before = embedded_base().parameter_digest();
  const auto learned = learn("perfusion", kShort);
  EXPECT_EQ(before, embedded_base().parameter_digest());
  for (const auto& parameter : embedded_base().unet->parameters()) EXPECT_FALSE(parameter.grad().defined());
}

TEST(Perfusion, FitsThePhotosBetterThanTheClassWord) {
  const auto learned = learn("perfusion", {{"steps", 40}, {"batch", 8}, {"preview_every", 0}});
  EXPECT_LT(learned.metrics.at("loss_last").get<double>(), .985 * learned.metrics.at("loss_first").get<double>());
}

TEST(Perfusion, GivesTheSameDeltaForTheSameSeed) {
  EXPECT_EQ(diffusion::delta_bytes(learn("perfusion", kShort).delta),
            diffusion::delta_bytes(learn("perfusion", kShort).delta));
}

TEST(Perfusion, LocksKeysToTheClassWord) {  // o*_K = W_K e_sup, never optimised
  const auto learned = learn("perfusion", kShort);
  auto& base = embedded_base();
  torch::NoGradGuard guard;
  const auto superclass = class_encodings(learned.delta.class_word).mean(0);
  int sites = 0;
  for (const auto& item : base.unet->named_modules("", false)) {
    auto* linear = dynamic_cast<diffusion::AdaptedLinearImpl*>(item.value().get());
    if (!linear || !item.key().ends_with(".attn2.to_k")) continue;
    const auto expected = torch::mv(linear->matrix().to(torch::kFloat), superclass);
    EXPECT_TRUE(torch::allclose(learned.delta.tensors.at(diffusion::kKeyPrefix + item.key()), expected, 1e-4, 1e-5))
        << item.key();
    ++sites;
  }
  EXPECT_GT(sites, 0);
}

TEST(Perfusion, TargetInputIsARunningMeanOfTheWordsEncodings) {  // i* <- m i* + (1 - m) mean E[pos], once a step
  const auto learned = learn("perfusion", {{"steps", 1}, {"batch", 1}, {"momentum", .25}, {"preview_every", 0}});
  // Before the first step the word is the class word, so both terms are encodings of the class word.
  const auto encoded = class_encodings(learned.delta.class_word);
  ASSERT_GT(encoded.size(0), 1);
  const auto expected = .25 * encoded.mean(0) + .75 * encoded[0];
  EXPECT_TRUE(torch::allclose(learned.delta.tensors.at(diffusion::kInputTensor), expected, 1e-4, 1e-5));
  EXPECT_FALSE(torch::allclose(expected, encoded.mean(0), 1e-3, 1e-4));
}

// A10-12: i*_n = m^n i*_0 + (1 - m) sum m^(n-1-j) e_j, of a word that never moves.
TEST(Perfusion, TargetInputOfManyStepsIsTheSumThatTheSpecificationWrites) {
  const auto learned = learn("perfusion", {{"steps", 3},
                                           {"batch", 1},
                                           {"momentum", .25},
                                           {"word_rate", 0},
                                           {"value_rate", 0},
                                           {"shared_rate", 0},
                                           {"preview_every", 0}});
  const auto encoded = class_encodings(learned.delta.class_word);
  ASSERT_EQ(encoded.size(0), 2);
  auto expected = std::pow(.25, 3) * encoded.mean(0);
  for (int step = 0; step < 3; ++step)  // of one row, which says a place every other time: that reads as "a {}" does
    expected = expected + .75 * std::pow(.25, 2 - step) * encoded[step % 2];
  EXPECT_TRUE(torch::allclose(learned.delta.tensors.at(diffusion::kInputTensor), expected, 1e-4, 1e-5));
}

// A10-13, A10-14, on the real base: the class word's own row reads as the class word, and an edit that is aimed at that
// encoding and yields what the layer yields is the gate times the base there.
TEST(Perfusion, BeginsAsTheClassWordTimesItsGate) {
  auto& base = embedded_base();
  torch::NoGradGuard guard;
  const auto plain = diffusion::prepare_prompt(base, "a mug on the beach");
  const auto word = word_of("mug", "mug");
  const auto covariance = diffusion::TokenCovariance::of(base);
  const auto delta_base = diffusion::DeltaBase::of(base, &covariance);
  const auto edits = std::make_shared<const diffusion::EditSet>(diffusion::delta_edits(word, delta_base));
  const auto own = diffusion::prepare_prompt(base, "a <thing-1> on the beach", edits);
  EXPECT_TRUE(torch::equal(plain.context, own.context));

  const auto at = own.positions.at("<thing-1>").back();
  const auto input = own.context[at].clone();
  for (const auto& item : base.unet->named_modules("", false)) {
    auto* linear = dynamic_cast<diffusion::AdaptedLinearImpl*>(item.value().get());
    if (!linear || !item.key().ends_with(".attn2.to_v")) continue;
    const auto weight = linear->matrix().to(torch::kFloat);
    const diffusion::RankOne edit{.input = input,
                                  .key = covariance.key_of(input),
                                  .output = torch::mv(weight, input),
                                  .bias = .75,
                                  .temperature = .1};
    const auto x = own.context.unsqueeze(0), y = torch::matmul(x, weight.t());
    const auto edited = diffusion::apply_edits({&edit, 1}, weight, x, y);
    EXPECT_TRUE(torch::allclose(edited[0][at], .92414182 * y[0][at], 1e-4, 1e-5)) << item.key();
  }
}

TEST(Perfusion, TakesTheBytesThatItsArithmeticSays) {  // 2 c + 2 sum of widths, A5
  const auto learned = learn("perfusion", kShort);
  int64_t values = 0, expected = 2 * embedded_base().text_encoder->config.hidden_size;
  for (const auto& [name, tensor] : learned.delta.tensors) values += tensor.numel();
  for (const auto& item : embedded_base().unet->named_modules("", false)) {
    auto* linear = dynamic_cast<diffusion::AdaptedLinearImpl*>(item.value().get());
    const bool edited = item.key().ends_with(".attn2.to_k") || item.key().ends_with(".attn2.to_v");
    if (linear && edited) expected += linear->matrix().size(0);
  }
  EXPECT_EQ(values, expected);
}

TEST(Perfusion, DrawsTheSamePictureAfterStoringAndLoading) {
  auto& base = embedded_base();
  const auto learned = learn("perfusion", kShort);
  const auto covariance = diffusion::TokenCovariance::of(base);
  const auto delta_base = diffusion::DeltaBase::of(base, &covariance);
  const auto picture = [&](const diffusion::Delta& delta) {
    const auto edits = std::make_shared<const diffusion::EditSet>(diffusion::delta_edits(delta, delta_base));
    diffusion::PictureRow row;
    row.context = diffusion::prepare_prompt(base, "a <thing-1> on the beach", edits).context;
    row.negative_context = diffusion::prepare_prompt(base, "").context;
    row.edits = edits, row.seed = 3;
    diffusion::Steering none;
    return diffusion::text_to_image(base, {.rows = {row}, .sampler = "ddim", .steps = 3}, none);
  };
  const auto stored = diffusion::parse_delta(diffusion::delta_bytes(learned.delta), "test");
  EXPECT_TRUE(torch::equal(picture(learned.delta), picture(stored)));
}

TEST(Perfusion, RefusesACovarianceOfAnotherTextEncoder) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "other_covariance";
  auto base = diffusion::ModelBundle::open(embedded_base().folder);
  const auto own = diffusion::TokenCovariance::of(base);
  base.folder = folder;
  diffusion::TokenCovariance(own.matrix(), diffusion::parameter_digest(*base.text_encoder)).save(folder);
  EXPECT_EQ(diffusion::TokenCovariance::of(base).digest(), own.digest());
  diffusion::TokenCovariance(own.matrix(), Digest::of("another")).save(folder);
  EXPECT_THROW(diffusion::TokenCovariance::of(base), Error);
}

TEST(Perfusion, StopsWhenProgressSaysSo) {
  LearnContext context{.bundle = embedded_base(), .progress = [](const LearnProgress& p) {
                         if (p.step == 2) throw Error(Code::cancelled, "enough");
                       }};
  EXPECT_THROW(make_learner("perfusion")->learn(request_for(20, kShort), context), Error);
}

TEST(Learners, NameTheSettingThatIsWrong) {
  for (const auto& [settings, field] : {std::pair<nlohmann::json, std::string>{{{"steps", 0}}, "settings.steps"},
                                        {{{"steps", "many"}}, "settings.steps"},
                                        {{{"stpes", 3}}, "settings.stpes"}}) {
    try {
      learn("perfusion", settings);
      FAIL() << settings;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::invalid);
      EXPECT_EQ(error.field(), field);
    }
  }
  EXPECT_THROW(make_learner("alchemy"), Error);
}

TEST(Learners, RefuseAClassWordThatIsNotOneToken) {
  auto request = request_for(20, kShort);
  request.class_word = "samovar";
  LearnContext context{.bundle = embedded_base()};
  EXPECT_THROW(make_learner("perfusion")->learn(request, context), Error);
}

TEST(TextualInversion, LearnsOneRowAndNothingElse) {
  const auto before = embedded_base().parameter_digest();
  const auto learned = learn("textual_inversion", {{"steps", 6}, {"batch", 4}});
  EXPECT_EQ(before, embedded_base().parameter_digest());
  ASSERT_EQ(learned.delta.tensors.size(), 1u);
  EXPECT_EQ(learned.delta.tensors.begin()->second.numel(), embedded_base().text_encoder->config.hidden_size);
}

}  // namespace
}  // namespace conceptd::learner
