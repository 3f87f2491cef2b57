#include "daemon/torch_consolidation.h"

#include "diffusion/runtime.h"
#include "learner/l2dm/consolidate.h"

namespace conceptd::daemon {
namespace {

// The closed form alone: on the embedded base the distilled rest has not paid off (docs/methods/l2dm.md). Pictures are
// drawn to measure with, then, and few do.
const nlohmann::json kSettings{{"rank", 0}, {"candidates", 6}, {"class_pictures", 2}, {"picture_steps", 8}};
// CHOICE: of a concept's effect on held-back latents so much must be left, and class words may move by so much.
constexpr double kEffectKeptMin = .2, kDriftMax = .02;

}  // namespace

WorkerResult consolidate_with_torch(const ConsolidateOrder& order, const WorkerVoice& voice) {
  const diffusion::RuntimeInfo runtime = diffusion::set_up_compute({.threads = order.threads, .dtype = order.dtype});
  auto bundle = diffusion::ModelBundle::open(order.base_folder, {.compute = runtime.dtype});
  require_base(order, bundle.fingerprint.hex());
  learner::ConsolidationRequest request{.members = {}, .settings = kSettings};
  std::string left_out;
  for (std::size_t k = 0; k < order.deltas.size(); ++k) {
    learner::ConsolidationMember member{.digest = Digest::of(order.deltas[k]),
                                        .delta = diffusion::parse_delta(order.deltas[k], order.names[k])};
    if (const std::string why = learner::no_consolidation(member.delta); !why.empty())
      left_out += (left_out.empty() ? "; left out: " : ", ") + order.names[k] + " (" + why + ")";
    else
      request.members.push_back(std::move(member));
  }
  if (request.members.size() < 2)
    throw Error(Code::not_found, "fewer than two concepts can be consolidated" + left_out);
  learner::LearnContext context{.bundle = bundle, .progress = [&](const learner::LearnProgress& at) {
                                  voice.step({.step = at.step, .steps = at.steps, .message = "one delta of many"},
                                             nullptr);
                                }};
  const learner::Consolidation done = learner::consolidate(request, context);
  const std::string why = learner::why_not_publish(done, kEffectKeptMin, kDriftMax);
  return {.delta = diffusion::consolidated_bytes(done.made, torch::kHalf),
          .settings = done.made.settings.dump(),
          .metrics = done.metrics.dump(),
          .accepted = why.empty(),
          .verdict_reason = (why.empty() ? "every concept is kept, and class words are as they were" : why) + left_out};
}

}  // namespace conceptd::daemon
