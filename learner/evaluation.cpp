#include "learner/evaluation.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "core/error.h"
#include "learner/measures/assignment.h"
#include "learner/measures/copy_distance.h"
#include "learner/measures/diversity.h"
#include "learner/measures/fisher_plan.h"
#include "learner/measures/wasserstein.h"
#include "learner/probe_pictures.h"
#include "learner/template.h"

namespace conceptd::learner {
namespace {

constexpr std::uint64_t kSeed = 1, kOtherSeeds = 10'000'000;
constexpr int64_t kFisherPrompts = 8, kFisherTimes = 5;
constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

// The first seed of every prompt, side by side.
Tensor row_of(const Tensor& pictures, int64_t seeds) {
  std::vector<Tensor> shown;
  for (int64_t k = 0; k < pictures.size(0); k += seeds) shown.push_back(pictures[k]);
  return torch::cat(shown, 2);
}

}  // namespace

Evaluation evaluate(diffusion::ModelBundle& bundle, Judge& judge, const EvaluationOrder& order) {
  torch::NoGradGuard frozen;
  const auto count = order.prompts.size() * static_cast<std::size_t>(order.seeds);
  if (count > kAssignmentMax)
    throw Error(Code::invalid,
                fmt::format("{} prompts of {} seeds are {} pictures; at most {} are paired", order.prompts.size(),
                            order.seeds, count, kAssignmentMax),
                "seeds");
  struct Asked {
    const char* way;
    std::string words;
    std::shared_ptr<const diffusion::EditSet> edits = {};
    std::uint64_t first_seed = kSeed;
  };
  const auto& word = order.delta.class_word;
  std::vector<Asked> asked{{.way = "class word", .words = word},
                           {.way = "concept", .words = order.delta.placeholder, .edits = edits_on(bundle, order.delta)},
                           {.way = "class word, other seeds", .words = word, .first_seed = kOtherSeeds}};
  if (!order.words.empty()) asked.push_back({.way = "words", .words = order.words});

  const auto steps = static_cast<double>(asked.size() * order.prompts.size()) * bundle.defaults.steps;
  ProbePlan plan{.prompts = order.prompts, .seeds = order.seeds};
  if (order.before_step)
    plan.before_step = [&, taken = 0]() mutable { order.before_step(std::min(taken++ / steps, 1.)); };
  std::vector<std::string> captions;
  for (const auto& prompt : order.prompts)
    captions.insert(captions.end(), static_cast<std::size_t>(order.seeds), filled(prompt, word));
  const auto photos = order.photos.defined() ? judge.of_pictures(order.photos) : Tensor();

  Evaluation done;
  std::vector<Tensor> rows;
  Tensor plain;
  for (const Asked& as : asked) {
    plan.first_seed = as.first_seed;
    const auto pictures = probe_pictures(bundle, plan, as.words, as.edits);
    if (!pictures.isfinite().all().item<bool>())
      throw Error(Code::corrupt, "what " + as.words + " draws are no pictures");
    const auto seen = judge.of_pictures(pictures);
    if (!plain.defined()) plain = seen;
    done.ways.push_back(
        {.way = as.way,
         .likeness = photos.defined() ? torch::matmul(seen, photos.t()).mean().item<double>() : kNoNumber,
         .fit = judge.fit(seen, captions),
         .diversity = diversity(seen, order.seeds),
         .copy_distance = photos.defined() ? copy_distance(seen, photos).distance.mean().item<double>() : kNoNumber,
         .wasserstein = empirical_wasserstein(seen, plain)});
    if (as.first_seed == kSeed) rows.push_back(row_of(pictures, order.seeds));
  }
  std::swap(done.ways[0], done.ways[1]), std::swap(rows[0], rows[1]);  // the concept is what was asked about
  done.sheet = torch::cat(rows, 1);
  return done;
}

double unnamed_divergence(diffusion::ModelBundle& bundle, const EvaluationOrder& order) {
  FisherPlanSettings settings{.prompts = {},
                              .timesteps = kFisherTimes,
                              .picture_steps = bundle.defaults.steps,
                              .guidance = bundle.defaults.guidance,
                              .seed = kSeed};
  for (const auto& prompt : order.prompts)
    if (static_cast<int64_t>(settings.prompts.size()) < kFisherPrompts)
      settings.prompts.push_back(filled(prompt, order.delta.class_word));
  if (order.before_step) settings.before_step = [&] { order.before_step(1); };
  return FisherPlan(bundle, std::move(settings)).divergence(edits_on(bundle, order.delta));
}

}  // namespace conceptd::learner
