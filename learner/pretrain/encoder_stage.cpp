// The tuning-encoder of the embedded base, in two phases on photographs of things that no other stage draws (seeds of
// their own) and that are never held out: first words alone, then all of it.
//
// Words: "a S* on the beach", S* read as the predicted row, must read to the frozen text encoder as "a mug on the
// beach" does with all that a description says in the noun's row (one_row.h): that is what the denoiser knows how to
// draw. And of the hard prompt's words the noun must be nearest. DEVIATES: the sources train by the denoiser's error
// alone, from CLIP's features; here is no CLIP, and a core-hour.
//
// All of it (musar_and_tuning_encoder.md, B4): one photo is looked at, another of the same thing is denoised, through
// both paths, in a prompt that says where it was taken.
// DEVIATES: the sources look at and denoise one photo; two keep place and pose out of the word (R9).
#include "core/file_io.h"
#include "diffusion/edits/edited.h"
#include "learner/objective.h"
#include "learner/pretrain/caption_reading.h"
#include "learner/pretrain/frozen_parts.h"
#include "learner/pretrain/one_row.h"
#include "learner/pretrain/scenes.h"
#include "learner/pretrain/step_loop.h"
#include "learner/tuning_encoder/encoder.h"
#include "learner/tuning_encoder/neighbours.h"
#include "learner/tuning_encoder/unet_features.h"

namespace conceptd::pretrain {
using learner::EncoderConfig;
using learner::Prediction;
using learner::TuningEncoder;
namespace fs = std::filesystem;

namespace {
constexpr std::uint64_t kOwnSeed = 0xe4c0;
constexpr double kPlaceSaid = .85, kPrefixSaid = .5;
constexpr double kNounWeight = .1;  // of the noun's cross-entropy, in the first phase
// lambda_c, lambda_2. DEVIATES: the specification's are .01; the denoiser's error is .05 here, and in 450 steps a
// brake of .01 took a word's length, and with it all that it said, to half of a real word's.
constexpr double kNearWeight = 1e-3, kLengthWeight = 1e-4;
constexpr double kAlpha = .5;
constexpr double kBesideWeight = .3;  // of what is not the thing
constexpr int64_t kWordRows = 20;     // of a prompt: the longest description ends before
constexpr int64_t kOthers = 64;
constexpr std::size_t kLettersMin = 3;
const std::string kSign = "<*>";

std::vector<std::string> hard_words() {
  std::vector<std::string> words;
  for (auto& word : world::vocabulary()) {
    if (word.size() >= kLettersMin) words.push_back(std::move(word));
  }
  return words;
}

std::string place_of(const world::Scene& scene) {  // " on the beach"
  return std::string(" ").append(world::background_phrases()[static_cast<std::size_t>(scene.background)]);
}

// Pairs of photographs of things, with prompts for the second one.
struct Pairs {
  std::vector<world::Instance> things;
  Tensor seen, shown;                        // (b, 3, 64, 64)
  Tensor mask;                               // (b, 1, 64, 64), of `shown`
  std::vector<std::string> full, bare;       // "a striped blue mug on the beach", "a mug on the beach"
  std::vector<diffusion::Encoding> signed_;  // the bare one with the row's own placeholder id for the noun
};

class Course {
 public:
  explicit Course(const StageOptions& options)
      : bundle(diffusion::ModelBundle::open(options.out)),
        codec(read_file(options.out / "tokenizer" / "vocab.json", 1 << 24)),
        schedule(diffusion::NoiseSchedule::from_json(bundle.scheduler_config)),
        sites(learner::edited_sites(diffusion::DeltaBase::of(bundle, nullptr))),
        config{.base = bundle.fingerprint, .words = hard_words()},
        words(learner::word_rows(bundle, config.words)),
        middle(words.mean(0)),
        empty(states({""})[0]),
        options_(options) {}

  TuningEncoder fresh() const {
    return TuningEncoder(config, sites, bundle.unet->config.block_out_channels, words.size(1));
  }

  Tensor states(const std::vector<std::string>& captions) {  // (b, n, c)
    torch::NoGradGuard frozen;
    diffusion::Adaptation base;
    return bundle.text_encoder(codec.encode(captions), base).last_hidden_state;
  }

  Pairs draw(int64_t count, world::Random& random, bool with_second) {
    Pairs pairs;
    std::vector<world::Scene> first, second;
    const auto chance = [&](double share) { return static_cast<double>(random() % 1000) < 1000 * share; };
    for (int64_t k = 0; k < count; ++k) {
      pairs.things.push_back(world::sample_instance(random, options_.breadth));
      const auto& thing = pairs.things.back();
      first.push_back(world::photograph(thing, random));
      second.push_back(world::photograph(thing, random));
      const std::string head = chance(kPrefixSaid) ? "a photo of a " : "a ";
      const std::string tail = chance(kPlaceSaid) ? place_of(second.back()) : std::string();
      const std::string noun(world::shape_words()[static_cast<std::size_t>(thing.shape)]);
      pairs.full.push_back(head + world::describe(thing) + tail);
      pairs.bare.push_back(head + noun + tail);
      const std::vector<diffusion::Placeholder> mine{{kSign, {bundle.first_placeholder_id() + k}}};
      pairs.signed_.push_back(bundle.tokenizer.encode(head + kSign + tail, mine));
    }
    pairs.seen = render_scenes(first);
    if (with_second) pairs.shown = render_scenes(second), pairs.mask = masks_of(second);
    return pairs;
  }

  // Of pictures: latents, scaled.
  Tensor latents_of(const Tensor& pictures) {
    torch::NoGradGuard frozen;
    return bundle.vae->encode(pictures).mean * bundle.vae->config.scaling_factor;
  }

  struct Noised {
    Tensor noisy, target, timesteps;
  };
  Noised noised(const Tensor& latents) {
    const auto b = latents.size(0), steps = schedule.train_steps();
    const auto t = (one_in_each_slice(b) * static_cast<double>(steps)).to(torch::kLong).clamp_max(steps - 1);
    const auto noise = torch::randn_like(latents);
    return {schedule.add_noise(latents, noise, t), schedule.target(latents, noise, t), t};
  }

  Prediction predicted(TuningEncoder& encoder, const Tensor& photos, const Noised& at) {
    return encoder(photos, learner::unet_features(bundle.unet, at.noisy, at.timesteps, empty), middle);
  }

  Tensor soft_states(const Pairs& pairs, const Tensor& rows, int64_t n) {  // (b, n, c), with the rows' graph
    diffusion::Adaptation base;
    const auto ids = diffusion::ids_tensor(pairs.signed_).slice(1, 0, n).contiguous();
    return bundle.text_encoder->forward(ids, base, {.placeholder_rows = rows}).last_hidden_state;
  }

  diffusion::ModelBundle bundle;
  CaptionCodec codec;
  diffusion::NoiseSchedule schedule;
  std::vector<learner::EditedSite> sites;
  EncoderConfig config;
  Tensor words, middle, empty;  // (w, c), (c), (n, c)

 private:
  const StageOptions& options_;
};

// Index of each thing's noun in the hard prompt's words.
Tensor nouns_of(const Pairs& pairs, const EncoderConfig& config) {
  std::vector<int64_t> at;
  for (const auto& thing : pairs.things) {
    const auto noun = world::shape_words()[static_cast<std::size_t>(thing.shape)];
    at.push_back(std::find(config.words.begin(), config.words.end(), noun) - config.words.begin());
  }
  return torch::tensor(at);
}

Measured words_step(Course& course, TuningEncoder& encoder, const StageOptions& options, world::Random& random) {
  const auto pairs = course.draw(options.micro_batch, random, false);
  const auto p = course.predicted(encoder, pairs.seen, course.noised(course.latents_of(pairs.seen)));
  auto captions = pairs.full;
  const std::vector<Phrases> phrases(captions.size(), Phrases::in_one_row);
  const auto target = encode_phrases(captions, phrases, [&](const auto& texts) {
                        return course.states(texts);
                      }).states.slice(1, 0, kWordRows);
  const auto soft = course.soft_states(pairs, p.word, kWordRows);
  const auto ids = diffusion::ids_tensor(pairs.signed_).slice(1, 0, kWordRows);
  const auto at_word = (ids >= course.bundle.first_placeholder_id()).to(torch::kFloat);  // (b, n)
  const auto error = (soft - target).pow(2).mean(-1) / target.var();
  const auto of_word = (error * at_word).sum() / at_word.sum(), of_all = error.mean();
  const auto cosines =
      torch::matmul(torch::nn::functional::normalize(p.word), torch::nn::functional::normalize(course.words).t());
  const auto nouns = nouns_of(pairs, course.config);
  const auto noun = torch::nn::functional::cross_entropy(cosines / learner::kNeighbourTemperature, nouns);
  (of_word + of_all + kNounWeight * noun).backward();
  return {{"word", of_word.item<double>()},
          {"all", of_all.item<double>()},
          {"noun", (cosines.argmax(1) == nouns).to(torch::kFloat).mean().item<double>()}};
}

Measured whole_step(Course& course, TuningEncoder& encoder, const StageOptions& options, world::Random& random) {
  const auto pairs = course.draw(options.micro_batch, random, true);
  const auto b = options.micro_batch;
  const auto at = course.noised(course.latents_of(pairs.shown));
  const auto p = course.predicted(encoder, pairs.seen, at);
  const auto nearest = learner::nearest_words(p.word, course.words, learner::kLossNeighbours);
  Tensor hard;
  {
    torch::NoGradGuard frozen;
    hard = course.soft_states(pairs, course.words.index_select(0, nearest.select(1, 0)), kContext);
  }
  const auto soft = course.soft_states(pairs, p.word, kContext);
  auto edits = std::make_shared<diffusion::EditSet>(learner::soft_edits(p, course.sites));
  edits->hard = diffusion::HardPath{.alpha = kAlpha, .words = {}, .context = hard};
  diffusion::Edited adapt(diffusion::Edited::Rows(static_cast<std::size_t>(b), edits));
  const auto prediction = course.bundle.unet(at.noisy, at.timesteps, soft, adapt);
  const auto size = at.noisy.size(2);
  const auto mask = torch::adaptive_avg_pool2d(pairs.mask, {size, size});
  const auto where = kBesideWeight + (1 - kBesideWeight) * mask;
  const auto error = (where * (prediction - at.target).pow(2)).mean({1, 2, 3});
  const auto weights = learner::min_snr_weights(course.schedule.snr(at.timesteps), kMinSnr);
  const auto loss = (error * weights).mean();
  const auto near = learner::neighbour_loss(p.word, course.words, nearest);
  const auto length = learner::length_loss(p.word);
  (loss + kNearWeight * near + kLengthWeight * length).backward();
  const auto nouns = nouns_of(pairs, course.config);
  return {{"loss", loss.item<double>()},
          {"near", near.item<double>()},
          {"length", length.item<double>()},
          {"noun", (nearest.select(1, 0) == nouns).to(torch::kFloat).mean().item<double>()}};
}

using TakeStep = Measured (*)(Course&, TuningEncoder&, const StageOptions&, world::Random&);

void train(const StageOptions& options, std::string_view stage, TakeStep step_of) {
  Course course(options);
  const auto published = learner::EncoderBundle::beside(options.out);
  torch::manual_seed(static_cast<int64_t>(options.seed + kOwnSeed));
  std::vector<TuningEncoder> replicas;
  for (int k = 0; k < options.workers; ++k) replicas.push_back(course.fresh());
  if (fs::exists(published / "encoder.safetensors")) load_component(published / "encoder.safetensors", *replicas[0]);
  FlatParameters flat(*replicas[0]);
  auto gradients = flat.replicate(replicas);
  TuningEncoder average = course.fresh();
  FlatParameters shown(*average);
  const auto publish = [&](const Tensor& weights, const nlohmann::json&) {
    torch::NoGradGuard frozen;
    shown.values().copy_(weights);
    save_component(published, "encoder.safetensors", shown, shown.values(), course.config.to_json());
    auto random = task_random(options.seed + kOwnSeed, 1 << 30, 0);
    const auto pairs = course.draw(kOthers, random, false);
    const auto p = course.predicted(average, pairs.seen, course.noised(course.latents_of(pairs.seen)));
    diffusion::save_safetensors(published / "others.safetensors", {{"words", p.word.to(torch::kHalf)}});
  };
  run_steps(
      options, flat.values(), gradients,
      {.stage = stage,
       .adam = {.ema = .998},
       .at_start = [&](int64_t step) { torch::manual_seed(static_cast<int64_t>(options.seed + kOwnSeed) + step); },
       .micro_batch =
           [&](int worker, int task, int64_t step) {
             auto random = task_random(options.seed + kOwnSeed, step, task);
             return step_of(course, replicas[static_cast<std::size_t>(worker)], options, random);
           },
       .publish = publish});
}
}  // namespace

void train_encoder_words(const StageOptions& options) { train(options, "encoder-words", words_step); }
void train_encoder(const StageOptions& options) { train(options, "encoder", whole_step); }

}  // namespace conceptd::pretrain
