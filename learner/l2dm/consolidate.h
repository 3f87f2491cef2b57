// A night's consolidation: single concepts' deltas in, one consolidated delta out. First the closed form M (merge.h),
// then what is left is distilled into low-rank factors R beside it, from the single deltas as teachers:
//
//   c ~ q, a rehearsed latent of c, t, e:   s = what M + R answer,  u = what c's own delta answers
//   loss = w_c (gamma |s - u|^2 + alpha |s - target|^2)                elastic concept distillation, rehearsal
//        + beta |s' - u'|^2 on the class words, u' the base's answer   prior preservation, as distillation
//        + rho |R|^2
//
// Sun et al. (L2DM) have these three losses for one network that forgets (section 3 of our notes); here the teachers
// are the immutable deltas and the student is a cache. "Elastic" is our reading: every so many steps it is measured
// what share of each concept's effect is lost on held-back latents, g_c; then q_c ~ (g_c + eps)^kappa and
// w_c = clip(g_c / mean g, .5, 2).
//
// The result is a function of base, members, settings, seed, compute type and number of threads: members are sorted by
// digest, and every concept draws from a stream of its own digest.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "diffusion/consolidated.h"
#include "learner/l2dm/rehearsal.h"
#include "learner/learner.h"
#include "learner/step_settings.h"

namespace conceptd::learner {

struct ConsolidationSettings : StepSettings, RehearsalSettings {
  ConsolidationSettings() { steps = 300, batch = 8, preview_every = 0; }
  double ridge = 1e-3;  // of the closed form: lambda = ridge * tr(sum K'K) / tr(C0)
  double rest = .02;    // weight of the prompts' other rows in the closed form
  int64_t rank = 16;    // of R; 0: the closed form alone
  double rate = 1e-3;   // Adam
  double gamma = 10, alpha = .1, beta = 1, rho = 1e-6, kappa = 1;
  int64_t elastic_every = 50;                                              // steps
  static ConsolidationSettings from_json(const nlohmann::json& settings);  // Error{invalid} names the setting
  nlohmann::json to_json() const;
};

struct ConsolidationRequest {
  std::vector<ConsolidationMember> members;  // in any order
  std::uint64_t seed = 0;
  nlohmann::json settings;
  std::string checkpoint = {};  // of an earlier run of the same request
};

// What is left of one concept, on latents that were held back from rehearsal, over fixed noise.
struct ConceptQuality {
  std::string placeholder;
  // 1 - |s - u|^2 / |u0 - u|^2: the share of what the delta changes about the base's answer that is kept.
  double effect_kept = 0, effect_kept_closed_form = 0;
  // Of the denoising loss on the photos, (class word - consolidated) / (class word - own delta); no photos: none.
  std::optional<double> gain_kept = {};
};

struct Consolidation {
  diffusion::Consolidated made;
  std::vector<ConceptQuality> quality;  // a member each, sorted by digest
  double drift = 0;                     // |s' - u'|^2 / |u'|^2 on the class words
  nlohmann::json metrics;               // the above as numbers by name; losses, seconds
};

// Why it would make a concept worse, by placeholder: it keeps less than this of what its own delta gains on its photos,
// or there was nothing to tell by.
std::map<std::string, std::string> who_loses(const Consolidation& done, double gain_kept_min);
// Why what it does to class words forbids to publish; empty: it does not.
std::string moves_class_words(const Consolidation& done, double drift_max);
// Why these numbers forbid to publish, naming the concept; empty: they do not.
std::string why_not_publish(const Consolidation& done, double effect_kept_min, double drift_max);

// Of a concept in any consolidated delta, on what was held back in `from`: for a gate that judges another than it made.
std::vector<ConceptQuality> measure_quality(diffusion::ModelBundle& bundle, const diffusion::DeltaBase& base,
                                            std::span<const ConsolidationMember> members, const Rehearsal& from,
                                            const diffusion::Consolidated& made);

// Error{invalid}: no member, the same placeholder twice, a member that cannot be consolidated, a setting. Progress and
// checkpoints as a learner's; while candidates are drawn, progress says step 0.
Consolidation consolidate(const ConsolidationRequest& request, LearnContext& context);

}  // namespace conceptd::learner
