#include "daemon/torch_consolidation.h"

#include <map>

#include "core/picture/picture.h"
#include "daemon/tensor_picture.h"
#include "diffusion/runtime.h"
#include "learner/l2dm/consolidate.h"

namespace conceptd::daemon {
namespace {

// The closed form alone: on the embedded base the distilled rest has not paid off (docs/methods/l2dm.md). Few pictures
// are drawn for measuring, then.
const nlohmann::json kSettings{{"rank", 0}, {"candidates", 6}, {"class_pictures", 2}, {"picture_steps", 8}};
// CHOICE, after C3 of our notes: of what a concept's own delta gains over its class word on its photo, so much is left;
// and what the base answers on class words moves by no more than so much of itself.
constexpr double kGainKeptMin = .9, kDriftMax = .1;

using Reasons = std::map<std::string, std::string>;  // placeholder -> why it is left out

std::string in_words(const Reasons& left_out) {
  std::string text;
  for (const auto& [placeholder, why] : left_out)
    text += (text.empty() ? "; left out: " : "; ") + placeholder + " (" + why + ")";
  return text;
}

}  // namespace

WorkerResult consolidate_with_torch(const ConsolidateOrder& order, const WorkerVoice& voice) {
  const diffusion::RuntimeInfo runtime = diffusion::set_up_compute({.threads = order.threads, .dtype = order.dtype});
  auto bundle = diffusion::ModelBundle::open(order.base_folder, {.compute = runtime.dtype});
  require_base(order, bundle.fingerprint.hex());
  const int side = static_cast<int>(bundle.picture_side());
  learner::ConsolidationRequest request{.members = {}, .settings = kSettings};
  Reasons left_out;
  for (std::size_t k = 0; k < order.deltas.size(); ++k) {
    learner::ConsolidationMember member{.digest = Digest::of(order.deltas[k]),
                                        .delta = diffusion::parse_delta(order.deltas[k], order.names[k])};
    std::string why = learner::no_consolidation(member.delta);
    if (why.empty() && order.photos[k].empty()) why = "it has no photos here to be judged by";
    if (!why.empty()) {
      left_out.emplace(member.delta.placeholder, std::move(why));
      continue;
    }
    const std::vector photo{picture::decode(order.photos[k])};
    member.photos = to_photos(photo, side);
    request.members.push_back(std::move(member));
  }
  learner::LearnContext context{.bundle = bundle, .progress = [&](const learner::LearnProgress& at) {
                                  voice.step({.step = at.step, .steps = at.steps, .message = "one delta of many"},
                                             nullptr);
                                }};
  while (request.members.size() >= 2) {  // each time without those that it would make worse
    const learner::Consolidation done = learner::consolidate(request, context);
    const Reasons worse = learner::who_loses(done, kGainKeptMin);
    if (worse.empty()) {
      const std::string moved = learner::moves_class_words(done, kDriftMax);
      const std::string verdict =
          moved.empty() ? "every concept in it is kept, and class words are as they were" : moved;
      return {.delta = diffusion::consolidated_bytes(done.made, torch::kHalf),
              .settings = done.made.settings.dump(),
              .metrics = done.metrics.dump(),
              .accepted = moved.empty(),
              .verdict_reason = verdict + in_words(left_out)};
    }
    left_out.insert(worse.begin(), worse.end());
    std::erase_if(request.members, [&](const auto& member) { return worse.contains(member.delta.placeholder); });
  }
  return {.settings = "{}",
          .metrics = "{}",
          .accepted = false,
          .verdict_reason = "fewer than two can be consolidated" + in_words(left_out)};
}

}  // namespace conceptd::daemon
