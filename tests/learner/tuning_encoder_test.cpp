// Goal: twelve steps at most, from one photo; what is tuned is what is served; the base and the encoder stay as they
// are. Method: the embedded base and its encoder, looked at from outside; numbers in brackets are those of
// musar_and_tuning_encoder.md, B10.
#include "learner/tuning_encoder/tuning_encoder.h"

#include <gtest/gtest.h>

#include "diffusion/delta.h"
#include "diffusion/edits/edited.h"
#include "diffusion/prompt.h"
#include "diffusion/text_to_image.h"
#include "embedded_base.h"
#include "learner/pretrain/checkpoint.h"
#include "learner/tuning_encoder/encoder.h"
#include "learner/tuning_encoder/unet_features.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_folder.h"

namespace conceptd::learner {
namespace {
using diffusion::EditSet;

const nlohmann::json kShort{{"steps", 2}, {"batch", 4}, {"preview_every", 0}};

// The embedded base with an encoder beside it that has not been trained, but for offsets that are small and not zero.
diffusion::ModelBundle& base_with_encoder() {
  static test::TempFolder g_folder;
  static auto g_bundle = [] {
    auto bundle = embedded_base();
    bundle.folder = g_folder.path() / "tiny-64";
    torch::manual_seed(4);
    const EncoderConfig config{.base = bundle.fingerprint, .words = {"mug", "kettle", "car", "boat", "hat", "red"}};
    const auto sites = edited_sites(diffusion::DeltaBase::of(bundle, nullptr));
    const auto width = bundle.text_encoder->config.hidden_size;
    TuningEncoder encoder(config, sites, bundle.unet->config.block_out_channels, width);
    const torch::NoGradGuard guard;
    encoder->to_up->weight.normal_(0, .01);
    const pretrain::FlatParameters flat(*encoder);
    const auto folder = EncoderBundle::beside(bundle.folder);
    pretrain::save_component(folder, "encoder.safetensors", flat, flat.values(), config.to_json());
    diffusion::save_safetensors(folder / "others.safetensors", {{"words", torch::randn({5, width})}});
    return bundle;
  }();
  return g_bundle;
}

LearnRequest one_photo(nlohmann::json settings = kShort) {
  auto request = request_for(20, settings);
  request.photos = request.photos.slice(0, 0, 1);
  return request;
}
Learned learn(const LearnRequest& request) {
  LearnContext context{.bundle = base_with_encoder()};
  return make_learner("tuning_encoder")->learn(request, context);
}
const Learned& shortly_learned() {
  static const auto g_learned = learn(one_photo());
  return g_learned;
}
std::shared_ptr<const EditSet> edits_of(const diffusion::Delta& delta) {
  return std::make_shared<const EditSet>(
      diffusion::delta_edits(delta, diffusion::DeltaBase::of(base_with_encoder(), nullptr)));
}
diffusion::PictureRow row_of(const std::string& text, const std::shared_ptr<const EditSet>& edits) {
  auto& base = base_with_encoder();
  const auto prompt = diffusion::prepare_prompt(base, text, edits);
  return {.context = prompt.context,
          .negative_context = diffusion::prepare_prompt(base, "").context,
          .edits = prompt.edits,
          .seed = 3,
          .guidance = 2.5,
          .noise = {}};
}
torch::Tensor drawn(const std::vector<diffusion::PictureRow>& rows) {
  diffusion::Steering none;
  return diffusion::denoise(base_with_encoder(), {.rows = rows, .sampler = "ddim", .steps = 3}, none);
}
EncoderBundle& encoder() {
  static auto g_found = EncoderBundle::open(EncoderBundle::beside(base_with_encoder().folder), base_with_encoder());
  return g_found;
}

TEST(TuningEncoder, LeavesEveryByteOfTheBaseAndOfTheEncoderAlone) {
  const auto file = EncoderBundle::beside(base_with_encoder().folder) / "encoder.safetensors";
  const auto before = std::pair(base_with_encoder().parameter_digest(), Digest::of_file(file));
  learn(one_photo());
  EXPECT_EQ(before, std::pair(base_with_encoder().parameter_digest(), Digest::of_file(file)));
  for (const auto& parameter : base_with_encoder().unet->parameters()) EXPECT_FALSE(parameter.grad().defined());
}

TEST(TuningEncoder, PredictsNoOffsetsBeforeItIsTrained) {  // 4
  const auto& sites = encoder().sites;
  const auto& widths = base_with_encoder().unet->config.block_out_channels;
  TuningEncoder fresh(encoder().encoder->config, sites, widths, encoder().words.size(1));
  const auto photos = photos_of(20);
  std::vector<Tensor> levels;
  for (const auto width : widths) levels.push_back(torch::randn({4, width}));
  const auto p = fresh(photos, levels, encoder().words.mean(0));
  EXPECT_EQ(p.up.abs().max().item<double>(), 0);
  EXPECT_GT(p.down.abs().max().item<double>(), 0);
  EXPECT_GT((p.word[0] - p.word[1]).abs().max().item<double>(), 0);
  EXPECT_EQ(p.word.size(0), 4);
}

TEST(TuningEncoder, ReadsTheFrozenDenoisersLevels) {  // 12
  auto& base = base_with_encoder();
  const int64_t side = base.unet->config.sample_size;
  torch::manual_seed(2);
  const auto noisy = torch::randn({2, base.unet->config.in_channels, side, side});
  const auto empty = diffusion::prepare_prompt(base, "").context;
  const auto levels = unet_features(base.unet, noisy, torch::tensor({100, 700}), empty);
  ASSERT_EQ(levels.size(), base.unet->config.block_out_channels.size());
  for (std::size_t k = 0; k < levels.size(); ++k) {
    EXPECT_EQ(levels[k].sizes(), (at::IntArrayRef{2, base.unet->config.block_out_channels[k]}));
    EXPECT_FALSE(levels[k].requires_grad());
    EXPECT_GT((levels[k][0] - levels[k][1]).abs().max().item<double>(), 0);
  }
}

TEST(TuningEncoder, TakesTheBytesOfItsArithmetic) {  // 13, B6: c + r sum (in + out) over every q, k and v
  const auto& delta = shortly_learned().delta;
  int64_t values = 0, expected = base_with_encoder().text_encoder->config.hidden_size, attentions = 0;
  const auto rank = encoder().encoder->config.rank;
  for (const auto& [name, tensor] : delta.tensors) values += tensor.numel();
  for (const auto& item : base_with_encoder().unet->named_modules("", false)) {
    if (dynamic_cast<diffusion::AttentionImpl*>(item.value().get())) ++attentions;
    const auto* layer = dynamic_cast<diffusion::AdaptedLinearImpl*>(item.value().get());
    if (!layer || !delta.tensors.contains(diffusion::kDownPrefix + item.key())) continue;
    expected += rank * (layer->matrix().size(0) + layer->matrix().size(1));
  }
  EXPECT_EQ(values, expected);
  EXPECT_EQ(static_cast<int64_t>(encoder().sites.size()), 3 * attentions);
  const auto bytes = static_cast<int64_t>(diffusion::delta_bytes(delta).size());
  const auto half = static_cast<int64_t>(diffusion::delta_bytes(delta, torch::kHalf).size());
  EXPECT_NEAR(static_cast<double>(bytes - half), static_cast<double>(2 * expected), 256);  // headers count in digits
}

TEST(TuningEncoder, WithoutAStepStoresWhatIsPredicted) {  // 13
  auto settings = kShort;
  settings["steps"] = 0;
  const auto learned = learn(one_photo(settings));
  auto other = settings;
  other["rate"] = .9;
  const auto again = learn(one_photo(other));
  for (const auto& [name, tensor] : learned.delta.tensors)
    EXPECT_TRUE(torch::equal(tensor, again.delta.tensors.at(name))) << name;
  EXPECT_EQ(learned.metrics.at("loss_first"), learned.metrics.at("loss_last"));
  EXPECT_EQ(learned.metrics.at("unet_passes"), 0);
  EXPECT_EQ(learned.metrics.at("encoder_passes"), 4);
  EXPECT_GT((learned.delta.tensors.at("w") - shortly_learned().delta.tensors.at("w")).abs().max().item<double>(), 0);
}

TEST(TuningEncoder, FitsThePhotoInTwelveSteps) {
  const auto learned = learn(one_photo({{"steps", 12}, {"batch", 8}, {"preview_every", 0}}));
  EXPECT_LT(learned.metrics.at("loss_last").get<double>(), learned.metrics.at("loss_first").get<double>());
  EXPECT_EQ(learned.metrics.at("unet_passes"), 12 * 8);
  EXPECT_ERROR(TuningEncoderSettings::from_json({{"steps", 13}}), Code::invalid, "steps");
  EXPECT_ERROR(TuningEncoderSettings::from_json({{"alpha", 2}}), Code::invalid, "alpha");
}

TEST(TuningEncoder, NeedsNoClassWord) {
  auto request = one_photo();
  request.class_word = "";
  const auto learned = learn(request);
  EXPECT_EQ(learned.delta.class_word, learned.delta.hard_word);
  auto settings = kShort;
  settings["hard_class"] = 1;
  EXPECT_EQ(learn(one_photo(settings)).delta.hard_word, one_photo().class_word);
}

TEST(TuningEncoder, SameSeedSameDeltaSamePictureAfterStoring) {  // 13, 14
  const auto bytes = diffusion::delta_bytes(shortly_learned().delta);
  EXPECT_EQ(bytes, diffusion::delta_bytes(learn(one_photo()).delta));
  const auto stored = diffusion::parse_delta(bytes, "test");
  const std::string text = "a <thing-1> on the beach";
  EXPECT_TRUE(
      torch::equal(drawn({row_of(text, edits_of(shortly_learned().delta))}), drawn({row_of(text, edits_of(stored))})));
}

TEST(TuningEncoder, GoesOnFromACheckpointAsIfItHadNeverStopped) {
  auto settings = kShort;
  settings["steps"] = 6;
  auto request = one_photo(settings);
  std::vector<std::string> kept;
  LearnContext context{.bundle = base_with_encoder()};
  context.checkpoint = [&](std::string bytes) { kept.push_back(std::move(bytes)); };
  context.checkpoint_s = 0;
  const auto whole = make_learner("tuning_encoder")->learn(request, context);
  ASSERT_GE(kept.size(), 5u);
  request.checkpoint = kept[4];  // after the word of the hard prompt is settled
  EXPECT_EQ(diffusion::delta_bytes(learn(request).delta), diffusion::delta_bytes(whole.delta));
}

TEST(TuningEncoder, ReadsItsPromptsTwice) {  // 11
  auto& base = base_with_encoder();
  const auto edits = edits_of(shortly_learned().delta);
  const auto prompt = diffusion::prepare_prompt(base, "a photo of a <thing-1> on the beach", edits);
  const auto& hard = prompt.edits->hard->context;
  const auto& word = shortly_learned().delta.hard_word;
  const auto plain = diffusion::prepare_prompt(base, "a photo of a " + word + " on the beach");
  EXPECT_TRUE(torch::equal(hard, plain.context));
  const auto at = prompt.positions.at("<thing-1>").at(0);
  EXPECT_LE((hard - prompt.context).slice(0, 0, at).abs().max().item<double>(), 1e-5);  // nobody looks ahead
  EXPECT_GT((hard - prompt.context).slice(0, at).abs().max().item<double>(), 1e-2);
  const auto without = diffusion::prepare_prompt(base, "a mug on the beach", edits);
  EXPECT_TRUE(torch::equal(without.edits->hard->context, without.context));
  EXPECT_ERROR(drawn({{.context = plain.context, .edits = edits, .guidance = 1, .noise = {}}}), Code::invalid,
               "prepare_prompt");
}

TEST(TuningEncoder, SharesABatchWithOtherConceptsAndWithNone) {
  auto& base = base_with_encoder();
  auto other = std::make_shared<EditSet>();
  other->tokens.push_back({"<mat>", torch::randn({1, base.text_encoder->config.hidden_size}) / 20});
  const auto mine = row_of("a <thing-1> in the snow", edits_of(shortly_learned().delta));
  const auto plain = row_of("a red mug in the snow", nullptr), word = row_of("a <mat> in the snow", other);
  const auto mixed = drawn({plain, mine, word}), without = drawn({plain, plain, word});
  EXPECT_TRUE(torch::equal(mixed[0], without[0]));
  EXPECT_TRUE(torch::equal(mixed[2], without[2]));
  EXPECT_LE((mixed[1] - drawn({mine})[0]).abs().max().item<double>(), 1e-3);
  auto both = *edits_of(shortly_learned().delta);
  add_edits(both, *other);
  const auto together = row_of("a <thing-1> and a <mat>", std::make_shared<const EditSet>(both));
  EXPECT_TRUE(drawn({together}).isfinite().all().item<bool>());
}

TEST(TuningEncoder, OfAnotherBaseIsRefused) {
  const auto folder = EncoderBundle::beside(base_with_encoder().folder);
  EXPECT_EQ(folder.filename(), "tiny-64-encoder");
  EXPECT_EQ(EncoderBundle::beside("a/base/"), std::filesystem::absolute("a/base-encoder"));
  EXPECT_ERROR(EncoderBundle::open(folder / "none", base_with_encoder()), Code::not_found, "no tuning-encoder");
  auto base = base_with_encoder();
  base.fingerprint = Digest::of("another");
  EXPECT_ERROR(EncoderBundle::open(folder, base), Code::conflict, "was trained for base");
}

}  // namespace
}  // namespace conceptd::learner
