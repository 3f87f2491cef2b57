#include "daemon/torch_learning.h"

#include "core/error.h"
#include "core/json.h"
#include "daemon/tensor_picture.h"
#include "daemon/torch_consolidation.h"
#include "daemon/torch_evaluation.h"
#include "diffusion/runtime.h"
#include "learner/gate/gate.h"
#include "learner/learner.h"

namespace conceptd::daemon {
namespace {

// Before it can be published: what was learnt, held against what the base's gate asks.
void pass_gate(learner::Gate& gate, diffusion::ModelBundle& bundle, const LearnOrder& order,
               const learner::Learned& learned, const torch::Tensor& photos, const WorkerVoice& voice,
               WorkerResult& result) {
  WorkerProgress said{.loss = learned.metrics.value("loss_last", 0.), .eta_s = 0, .message = "judging what was learnt"};
  said.step = said.steps = learned.delta.settings.value("steps", std::int64_t{0});
  std::optional<diffusion::Delta> published;
  if (!order.published.empty()) published = diffusion::parse_delta(order.published, "the published version");
  const auto report = gate.run(bundle, {.candidate = learned.delta,
                                        .published = published ? &*published : nullptr,
                                        .published_is_draft = order.published_is_draft,
                                        .photos = photos,
                                        .light = order.light_gate,
                                        .before_step = [&] {
                                          voice.step(said, nullptr);
                                          said.message.clear();
                                        }});
  auto metrics = learned.metrics;
  metrics.update(report.metrics);
  result.metrics = metrics.dump();
  result.verdict_reason = report.verdict.reason;
  result.accepted = report.verdict.accepted || order.gate == "warn";
  if (result.accepted && !report.verdict.accepted)
    result.verdict_reason = "published as learn.gate is warn, though " + result.verdict_reason;
}

struct Prober {
  std::optional<diffusion::ModelBundle> bundle;
  std::optional<learner::Gate> gate;
  std::string machine;

  WorkerProbe run(const ProbeOrder& order, const WorkerVoice& voice) {
    if (!bundle) open(order);
    if (!gate)
      throw Error(Code::not_found, "the base asks nothing of a version: it has no gate.json, so nothing is drawn again",
                  "gate");
    const auto delta = diffusion::parse_delta(order.delta, order.name);
    const learner::GateProbe probe =
        gate->probe(*bundle, {.candidate = delta,
                              .photos = to_photos(order.photos, static_cast<int>(bundle->picture_side())),
                              .before_step = [&] { voice.step({.message = "drawing"}, nullptr); }});
    return {.pictures = probe.pictures.hex(),
            .count = static_cast<std::int32_t>(probe.count),
            .conditions = order.base_fingerprint.substr(0, 12) + " gate " + probe.asked.short_hex() + " " + machine,
            .identity = probe.measures.identity,
            .fidelity = probe.measures.fidelity};
  }

 private:
  void open(const ProbeOrder& order) {
    const diffusion::RuntimeInfo runtime = diffusion::set_up_compute({.threads = order.threads, .dtype = order.dtype});
    bundle.emplace(diffusion::ModelBundle::open(order.base_folder, {.compute = runtime.dtype}));
    require_base(order, bundle->fingerprint.hex());
    gate = learner::Gate::open(*bundle);
    machine = order.dtype + " " + runtime.capability + " " + runtime.blas + " " + std::to_string(runtime.threads);
  }
};

}  // namespace

WorkerTasks torch_tasks() {
  const auto prober = std::make_shared<Prober>();
  return {.learn = learn_with_torch,
          .probe = [prober](const ProbeOrder& order, const WorkerVoice& voice) { return prober->run(order, voice); },
          .consolidate = consolidate_with_torch,
          .evaluate = evaluate_with_torch};
}

WorkerResult learn_with_torch(const LearnOrder& order, const WorkerVoice& voice) {
  const diffusion::RuntimeInfo runtime = diffusion::set_up_compute({.threads = order.threads, .dtype = order.dtype});
  voice.step({.message = "loading the base model"}, nullptr);
  auto bundle = diffusion::ModelBundle::open(order.base_folder, {.compute = runtime.dtype});
  require_base(order, bundle.fingerprint.hex());
  // Before the work that it would be asked about.
  auto gate = order.gate == "off" ? std::nullopt : learner::Gate::open(bundle);
  const learner::LearnRequest request{.name = order.name,
                                      .class_word = order.class_word,
                                      .photos = to_photos(order.photos, static_cast<int>(bundle.picture_side())),
                                      .masks = {},
                                      .seed = order.seed,
                                      .settings = parse_json(order.settings, "the settings of the job"),
                                      .checkpoint = order.checkpoint};
  learner::LearnContext context{.bundle = bundle,
                                .progress =
                                    [&](const learner::LearnProgress& progress) {
                                      const WorkerProgress said{.step = progress.step,
                                                                .steps = progress.steps,
                                                                .loss = progress.loss,
                                                                .eta_s = progress.eta_s,
                                                                .message = progress.note};
                                      if (!progress.preview.defined()) return voice.step(said, nullptr);
                                      const picture::Picture preview = to_picture_from_signed(progress.preview);
                                      voice.step(said, &preview);
                                    },
                                .checkpoint = voice.checkpoint};
  try {
    const learner::Learned learned = learner::make_learner(order.method)->learn(request, context);
    WorkerResult result{.delta = diffusion::delta_bytes(learned.delta),
                        .settings = learned.delta.settings.dump(),
                        .metrics = learned.metrics.dump()};
    if (gate) pass_gate(*gate, bundle, order, learned, request.photos, voice, result);
    return result;
  } catch (const learner::Diverged& error) {
    throw Hopeless(error.code(), error.what());
  } catch (const c10::Error& error) {  // libtorch's word for it
    if (std::string_view(error.what()).find("can't allocate memory") == std::string_view::npos) throw;
    throw std::bad_alloc();
  }
}

}  // namespace conceptd::daemon
