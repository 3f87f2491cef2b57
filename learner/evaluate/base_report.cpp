#include "diffusion/prompt.h"
#include "diffusion/text_to_image.h"
#include "learner/evaluate/reports.h"
#include "learner/pretrain/caption_reading.h"
#include "learner/pretrain/one_row.h"
#include "learner/pretrain/scenes.h"
#include "learner/pretrain/stages.h"
#include "learner/workers.h"

namespace conceptd::evaluate {

namespace {
const diffusion::ConceptAttentionSettings kUnguided;

using Prepare = std::function<diffusion::PreparedPrompt(std::size_t row)>;

Tensor draw_rows(diffusion::ModelBundle& bundle, std::size_t count, const Prepare& prepare, std::uint64_t first_seed,
                 const Drawing& drawing) {
  torch::NoGradGuard frozen;
  const auto empty = diffusion::prepare_prompt(bundle, "");
  const auto b = static_cast<std::size_t>(drawing.batch), batches = (count + b - 1) / b;
  std::vector<Tensor> pictures(batches);
  learner::Workers workers(at::get_num_threads());
  workers.run(static_cast<int>(batches), [&](int, int task) {
    torch::NoGradGuard in_this_thread;
    const auto from = static_cast<std::size_t>(task) * b;
    diffusion::TextToImageRequest request{.rows = {}, .sampler = bundle.unet ? "ddim" : "", .steps = drawing.steps};
    std::vector<diffusion::GuidedRow> guided;
    for (auto k = from; k < std::min(count, from + b); ++k) {
      diffusion::PictureRow row;
      const auto prompt = prepare(k);
      row.context = prompt.context, row.negative_context = empty.context, row.edits = prompt.edits;
      row.pooled = prompt.pooled, row.negative_pooled = empty.pooled;
      row.seed = first_seed + k, row.guidance = drawing.guidance, row.guidance_rescale = drawing.rescale;
      row.edit_negative = drawing.edit_negative;
      request.rows.push_back(row);
      if (!drawing.attention) continue;
      if (auto concepts = concept_tokens(prompt); !concepts.empty())
        guided.push_back({static_cast<int64_t>(k - from), prompt.context, prompt.edits, std::move(concepts)});
    }
    diffusion::Steering none;
    diffusion::ConceptAttention steering(bundle, std::move(guided), drawing.attention.value_or(kUnguided), none);
    pictures[static_cast<std::size_t>(task)] =
        diffusion::decode_latents(bundle, diffusion::denoise(bundle, request, steering)).clamp(-1, 1);
  });
  return torch::cat(pictures);
}

// Every thing's phrase in one row (one_row.h): what the base can draw of what a single word says.
Tensor draw_in_one_row(diffusion::ModelBundle& bundle, std::vector<std::string> captions, std::uint64_t first_seed,
                       const Drawing& drawing) {
  const auto encode = [&](const std::vector<std::string>& texts) {
    std::vector<Tensor> states;
    for (const auto& text : texts) states.push_back(diffusion::prepare_prompt(bundle, text).context);
    return torch::stack(states);
  };
  const std::vector<pretrain::Phrases> phrases(captions.size(), pretrain::Phrases::in_one_row);
  const auto states = pretrain::encode_phrases(captions, phrases, encode).states;
  const auto prepare = [&](std::size_t k) {
    return diffusion::PreparedPrompt{.context = states[static_cast<int64_t>(k)]};
  };
  return draw_rows(bundle, captions.size(), prepare, first_seed, drawing);
}
}  // namespace

Tensor draw(diffusion::ModelBundle& bundle, const std::vector<std::string>& prompts,
            const std::shared_ptr<const diffusion::EditSet>& edits, std::uint64_t first_seed, const Drawing& drawing) {
  const auto prepare = [&](std::size_t k) {
    return diffusion::prepare_prompt(bundle, prompts[k], edits, drawing.lock);
  };
  return draw_rows(bundle, prompts.size(), prepare, first_seed, drawing);
}

Tensor through_autoencoder(diffusion::ModelBundle& bundle, const Tensor& pictures) {
  torch::NoGradGuard frozen;
  std::vector<Tensor> out;
  for (const auto& some : pictures.split(20)) {
    const auto latents = bundle.vae->encode(some.to(bundle.compute)).mean * bundle.vae->config.scaling_factor;
    out.push_back(diffusion::decode_latents(bundle, latents.to(torch::kFloat)).clamp(-1, 1));
  }
  return torch::cat(out);
}

namespace {
using pretrain::Attribute;

// What a caption says of its things, against what is seen. Words not said are not asked for.
struct Asked {
  Share single[kQuestions], by_template, background, both_shapes, both_bound;
  nlohmann::json to_json() const {
    nlohmann::json out{{"background", background.value()},
                       {"shape_by_template", by_template.value()},
                       {"two_objects_both_shapes", both_shapes.value()},
                       {"two_objects_both_shapes_and_colours", both_bound.value()}};
    for (int q = 0; q < kQuestions; ++q) out[kQuestionNames[q]] = single[q].value();
    return out;
  }
};

void ask(Asked& asked, const pretrain::CaptionReading& said, const Seen& seen, int64_t outline) {
  const auto right = [&](int place, Attribute a, Question q) {  // not said, or seen as said
    const auto word = said.at_end[place][a];
    return word == 0 || seen.place[place][q] == (q == kShape ? word : word - 1);
  };
  if (said.background) asked.background.count(seen.background == said.background - 1);
  if (said.at_end[1][pretrain::kShape]) {
    const bool shapes = right(0, pretrain::kShape, kShape) && right(1, pretrain::kShape, kShape);
    asked.both_shapes.count(shapes);
    asked.both_bound.count(shapes && right(0, pretrain::kFirst, kFirst) && right(1, pretrain::kFirst, kFirst));
    return;
  }
  if (said.at_end[0][pretrain::kShape]) asked.by_template.count(outline == said.at_end[0][pretrain::kShape] - 1);
  constexpr std::pair<Attribute, Question> kPairs[] = {{pretrain::kShape, kShape},
                                                       {pretrain::kFirst, kFirst},
                                                       {pretrain::kSecond, kSecond},
                                                       {pretrain::kPattern, kPattern},
                                                       {pretrain::kBadge, kBadge}};
  for (const auto& [a, q] : kPairs) {
    if (said.at_end[0][a]) asked.single[q].count(right(0, a, q));
  }
}

double spread(AttributeNet& net, const Tensor& pictures) {  // mean cosine distance of identity embeddings
  torch::NoGradGuard frozen;
  const auto e = net(pictures).identity;
  const auto n = static_cast<double>(e.size(0));
  return 1 - (torch::matmul(e, e.t()).sum().item<double>() - n) / (n * (n - 1));
}
}  // namespace

nlohmann::json report_base(diffusion::ModelBundle& bundle, Evaluator& judge, int64_t count, const Drawing& drawing,
                           const std::filesystem::path& grid) {
  auto random = pretrain::task_random(0xba5e, 0, 0);
  std::vector<world::Scene> scenes;
  std::vector<std::string> captions;
  for (int64_t k = 0; k < count; ++k) {
    scenes.push_back(world::sample_scene(random, {.two_objects = .25}));
    captions.push_back(world::caption(scenes.back(), random, {.any_shape = 0}));
  }
  const auto generated = draw(bundle, captions, nullptr, 1000, drawing), real = pretrain::render_scenes(scenes);
  const auto decoded = through_autoencoder(bundle, real);
  const auto in_one_row = draw_in_one_row(bundle, captions, 1000, drawing);
  const auto asked_of = [&](const Tensor& pictures) {
    Asked asked;
    const auto seen = look(judge.net, pictures);
    const auto outlines = judge.outlines.shapes(pictures);
    for (std::size_t k = 0; k < captions.size(); ++k)
      ask(asked, pretrain::read_caption(captions[k]), seen[k], outlines[k]);
    return asked.to_json();
  };
  pretrain::save_grid(
      grid.string(),
      torch::stack({real.slice(0, 0, 40), generated.slice(0, 0, 40), in_one_row.slice(0, 0, 40)}, 1).flatten(0, 1), 15);
  double own = 0, worlds = 0;
  constexpr int kWords = 8;
  for (int word = 0; word < kWords; ++word) {
    const int shape = word * 4;
    const std::vector<std::string> prompts(12,
                                           "a " + std::string(world::shape_words()[static_cast<std::size_t>(shape)]));
    own += spread(judge.net, draw(bundle, prompts, nullptr, 5000, drawing)) / kWords;
    std::vector<world::Scene> photos;
    for (int k = 0; k < 12; ++k) photos.push_back(world::photograph(world::sample_instance(random, {}, shape), random));
    worlds += spread(judge.net, pretrain::render_scenes(photos)) / kWords;
  }
  return {{"prompts", count},
          {"steps", drawing.steps},
          {"guidance", drawing.guidance},
          {"rescale", drawing.rescale},
          {"generated", asked_of(generated)},
          {"generated_in_one_row", asked_of(in_one_row)},
          {"ceiling", asked_of(real)},
          {"ceiling_through_autoencoder", asked_of(decoded)},
          {"caption_fit",
           {{"generated", judge.towers.fit(judge.towers.of_pictures(generated), captions)},
            {"ceiling", judge.towers.fit(judge.towers.of_pictures(real), captions)}}},
          {"diversity_within_a_word", {{"generated", own}, {"world", worlds}}}};
}

}  // namespace conceptd::evaluate
