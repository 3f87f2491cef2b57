// What a night's consolidation keeps of single deltas, and what two concepts in one prompt come to: the raw sum of
// deltas, the consolidated one, and guidance beside either (docs/methods/l2dm.md).
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>

#include "diffusion/guidance/concept_attention.h"
#include "learner/evaluate/reports.h"

namespace conceptd::evaluate {

struct LifelongPlan {
  int64_t first = 0, concepts = 10, photos = 4;        // held-out things, learnt with Perfusion
  int64_t seeds = 2;                                   // a place, of each thing alone; 0: none are drawn
  int64_t pairs = 20, pair_seeds = 4;                  // of two things; of each pair
  std::filesystem::path deltas;                        // as ConceptPlan's
  nlohmann::json settings = nlohmann::json::object();  // of the consolidation
  // By name: every way to draw two things is measured with each of these beside none.
  std::map<std::string, diffusion::ConceptAttentionSettings> attention = {};
};

// {"step_size": .., "share": .., "refine_max": .., "attend": .., "unmix": .., "orthogonal": .., "dynamics": ..}; what
// is not said is the default. Error{invalid} names the setting.
diffusion::ConceptAttentionSettings attention_settings(const nlohmann::json& settings);

// Alone: identity of the class word's pictures, of the own delta's and of the consolidated one's, same prompts and
// seeds; kept is the share of the own delta's gain. Pairs: things missing, things told from each other, identity of
// crops; real renders are the measure's own error. The grid: two pictures of each way, a pair a row.
nlohmann::json report_lifelong(diffusion::ModelBundle& bundle, Evaluator& judge, const LifelongPlan& plan,
                               const Drawing& drawing, const std::filesystem::path& grid);

}  // namespace conceptd::evaluate
