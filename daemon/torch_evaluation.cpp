#include "daemon/torch_evaluation.h"

#include <chrono>
#include <cmath>

#include "daemon/api/limits.h"
#include "daemon/api/wire.h"
#include "daemon/tensor_picture.h"
#include "diffusion/runtime.h"
#include "learner/evaluation.h"
#include "learner/gate/gate.h"

namespace conceptd::daemon {
namespace {

using Monotonic = std::chrono::steady_clock;
constexpr double kPicturesShare = .85;  // of the time; the rest is the divergence's

std::optional<double> if_number(double value) { return std::isfinite(value) ? std::optional(value) : std::nullopt; }

double seconds_since(Monotonic::time_point began) {
  return std::chrono::duration<double>(Monotonic::now() - began).count();
}

}  // namespace

WorkerEvaluation evaluate_with_torch(const EvaluateOrder& order, const WorkerVoice& voice) {
  const auto began = Monotonic::now();
  const diffusion::RuntimeInfo runtime = diffusion::set_up_compute({.threads = order.threads, .dtype = order.dtype});
  auto bundle = diffusion::ModelBundle::open(order.base_folder, {.compute = runtime.dtype});
  require_base(order, bundle.fingerprint.hex());
  const auto gate = learner::GateSettings::of(bundle);
  if (!gate)
    throw Error(Code::not_found, "the base names no judge that could measure pictures; docs/gate.md says how it does",
                "base");
  auto judge = learner::Judge::open(gate->judge);
  const auto delta = diffusion::parse_delta(order.delta, order.name);

  learner::EvaluationOrder asked{.delta = delta,
                                 .photos = to_photos(order.photos, static_cast<int>(bundle.picture_side())),
                                 .prompts = order.prompts.empty() ? gate->prompts : order.prompts,
                                 .seeds = order.seeds,
                                 .words = order.words};
  if (asked.prompts.size() * static_cast<std::size_t>(asked.seeds) > api::kEvaluatedPicturesMax)
    throw Error(Code::invalid, "the gate's prompts times these seeds are too many pictures; ask for fewer seeds",
                "seeds");
  asked.before_step = [&](double of_pictures) {
    const double done = kPicturesShare * of_pictures;
    const double took = seconds_since(began);
    voice.step({.step = static_cast<std::int64_t>(done * 1000),
                .steps = 1000,
                .eta_s = done > .02 ? took / done * (1 - done) : -1,
                .message = "measuring"},
               nullptr);
  };
  const auto measured = learner::evaluate(bundle, judge, asked);
  api::EvaluationMeasures said{.prompts = asked.prompts};
  for (const auto& way : measured.ways)
    said.ways.push_back({.way = way.way,
                         .likeness = if_number(way.likeness),
                         .fit = way.fit,
                         .diversity = if_number(way.diversity),
                         .copy_distance = if_number(way.copy_distance),
                         .wasserstein = way.wasserstein});
  if (bundle.compute != torch::kFloat)  // small differences
    bundle = diffusion::ModelBundle::open(order.base_folder, {.compute = torch::kFloat});
  said.unnamed_divergence = learner::unnamed_divergence(bundle, asked);
  said.seconds = seconds_since(began);
  return {.measures = api::encode(said).dump(),
          .sheet_png = picture::encode_png(to_picture_from_signed(measured.sheet.to(torch::kFloat)))};
}

}  // namespace conceptd::daemon
