// What is measured of the embedded base: does it draw what its words say, and can a held-out thing be learnt on it, and
// what may its gate ask?
#pragma once
#include <filesystem>
#include <memory>
#include <optional>

#include "diffusion/edits/edits.h"
#include "diffusion/guidance/concept_attention.h"
#include "diffusion/model_bundle.h"
#include "diffusion/prompt.h"
#include "learner/evaluate/evaluator.h"
#include "learner/evaluate/score.h"

namespace conceptd::evaluate {

struct Drawing {
  int64_t steps = 25, batch = 8;
  double guidance = 2.5, rescale = 0;  // classifier-free; rescale as PictureRow::guidance_rescale
  bool edit_negative = true;           // PictureRow's
  diffusion::KeyLock lock = diffusion::KeyLock::local;
  std::optional<diffusion::ConceptAttentionSettings> attention = {};  // of prompts with two concepts or more
};

// Pictures of prompts, (b, 3, 64, 64) in -1..1, row k from seed first_seed + k; edits may be null. As many batches at
// once as libtorch would use threads.
Tensor draw(diffusion::ModelBundle& bundle, const std::vector<std::string>& prompts,
            const std::shared_ptr<const diffusion::EditSet>& edits, std::uint64_t first_seed, const Drawing& drawing);

// Pictures encoded and decoded again: what a perfect denoiser could draw at best.
Tensor through_autoencoder(diffusion::ModelBundle& bundle, const Tensor& pictures);

// `count` prompts of the world's grammar that no training saw (its own seeds), each beside a real render of the same
// scene as the ceiling, and that render through the autoencoder; and drawn again with each thing's whole phrase in one
// row (pretrain/one_row.h), which is what a concept's word has. The grid: render, picture, picture of one row, by
// threes.
nlohmann::json report_base(diffusion::ModelBundle& bundle, Evaluator& judge, int64_t count, const Drawing& drawing,
                           const std::filesystem::path& grid);

struct ConceptPlan {
  int64_t first = 0, concepts = 20, photos = 4, seeds = 2;  // seeds a background
  std::vector<std::string> methods{"perfusion", "textual_inversion"};
  std::vector<double> biases;  // of the gate, drawn beside the delta's own: Perfusion's beta, from one delta
  nlohmann::json settings = nlohmann::json::object();
  std::filesystem::path deltas;  // what was learnt is kept here, and taken from here; empty: nothing is kept
};
// Held-out things learnt from photos by each method; beside them the class word, the best description in words,
// real renders, and those through the autoencoder. Drawn in every place that no photo was taken in.
nlohmann::json report_concepts(diffusion::ModelBundle& bundle, Evaluator& judge, const ConceptPlan& plan,
                               const Drawing& drawing, const std::filesystem::path& grid);

struct MethodPlan {
  int64_t first = 0, concepts = 20, photos = 4, seeds = 4;  // seeds a prompt
  // name -> {"method": .., "settings": {..}, "gate_bias": .., "key_lock": "..", "compact": false}; all but the first
  // may be left out
  nlohmann::json ways;
  std::filesystem::path out;     // JSON Lines, a thing and way each; what stands there is not measured again
  std::filesystem::path deltas;  // as ConceptPlan's
  std::filesystem::path strips;  // ten pictures of each thing and way go here; empty: nowhere
};
// Every way on every thing (trial.h), beside the class word, the same from other seeds, the best description and real
// renders. `exact` is the same base open in fp32, for the Fisher divergence. A run that is stopped goes on where it
// was; runs over other things may have files of their own, whose lines add up. Error{conflict}: `out` is of another
// plan.
void report_methods(diffusion::ModelBundle& bundle, diffusion::ModelBundle& exact, Evaluator& judge,
                    const MethodPlan& plan, const Drawing& drawing);
// Of the lines of report_methods: means over things with bootstrap intervals (95 %), and paired differences from the
// ways named. {"ways": {way: {figure: {"value", "low", "high"}}}, "differences": {"way - other": {…}}, "things": n}
nlohmann::json summarise(const std::vector<std::filesystem::path>& results, const std::vector<std::string>& against);
// The same as a Markdown table, a way a row.
std::string summary_table(const nlohmann::json& summary);
// The same for a plotting program: a way a line, tabs between, value, low and high of each figure.
void write_points(const nlohmann::json& summary, const std::filesystem::path& out);
// Strips of MethodPlan one under another: of every thing, every way. Error{not_found} names a strip that is not there.
void write_sheet(const std::filesystem::path& strips, const std::vector<std::string>& things,
                 const std::vector<std::string>& ways, const std::filesystem::path& out);

// How far the gate's measures of good versions move from one set of seeds to another, and how far they lie from the
// class word: what the bounds of a gate.json are chosen by. Things and methods as in the plan; `repeats` sets of seeds
// each.
nlohmann::json report_gate(diffusion::ModelBundle& bundle, const ConceptPlan& plan, int64_t repeats);

}  // namespace conceptd::evaluate
