#include "learner/gate/gate.h"

#include <spdlog/fmt/fmt.h>

#include <cmath>

#include "core/error.h"
#include "core/file_io.h"
#include "diffusion/config_reader.h"
#include "diffusion/token_covariance.h"
#include "learner/measures/copy_distance.h"
#include "learner/probe_pictures.h"
#include "learner/template.h"

namespace conceptd::learner {
namespace {

constexpr double kLightSteps = .4;

int64_t seeds_of(const GateSettings& asked, const GateOrder& order) { return order.light ? 1 : asked.seeds; }

ProbePlan plan_of(const GateSettings& asked, const GateOrder& order, std::uint64_t first_seed = 1) {
  return {.prompts = asked.prompts,
          .seeds = seeds_of(asked, order),
          .first_seed = first_seed,
          .steps_share = order.light ? kLightSteps : 1,
          .before_step = order.before_step};
}

bool is_a_number(const GateMeasures& measures) {
  return std::isfinite(measures.identity) && std::isfinite(measures.fidelity);
}

void put(Json& metrics, const std::string& suffix, const GateMeasures& measures) {
  metrics["gate_identity" + suffix] = measures.identity;
  metrics["gate_fidelity" + suffix] = measures.fidelity;
}

}  // namespace

std::optional<GateSettings> GateSettings::of(const diffusion::ModelBundle& bundle) {
  const auto path = bundle.folder / "gate.json";
  if (!std::filesystem::exists(path)) return std::nullopt;
  try {
    const Json json = parse_json(read_file(path, 1u << 20), "gate.json");
    diffusion::ConfigReader reader(json, "gate.json");
    GateSettings asked;
    asked.judge = bundle.folder / reader.text("judge", "");
    asked.prompts = reader.texts("prompts");
    asked.seeds = reader.integer("seeds", 1, 100, asked.seeds);
    const auto bound = [&](const char* key, double& value) { value = reader.number(key, -2, 2, value); };
    bound("identity_gain_min", asked.identity_gain_min), bound("fidelity_drop_max", asked.fidelity_drop_max);
    bound("identity_loss_max", asked.identity_loss_max), bound("fidelity_loss_max", asked.fidelity_loss_max);
    if (!reader.has("judge")) throw reader.refuse("judge", "the folder of a judge");
    if (asked.prompts.empty() || asked.prompts.size() > 64) throw reader.refuse("prompts", "1 to 64 of them");
    for (const auto& prompt : asked.prompts)
      if (!has_one_gap(prompt)) throw reader.refuse("prompts", "each has one {} in it");
    reader.finish();
    return asked;
  } catch (const Error& error) {
    throw Error(Code::corrupt, bundle.folder.string() + ": " + error.what(), error.field());
  }
}

GateVerdict decide(const GateSettings& asked, const GateMeasures& candidate, const GateMeasures& plain,
                   const std::optional<GateMeasures>& published, const std::string& class_word) {
  if (!is_a_number(candidate)) return {.accepted = false, .reason = "its pictures are not pictures"};
  const auto refuse = [](const std::string& what, double value, const std::string& beside, double other, double least) {
    return GateVerdict{.accepted = false,
                       .reason = fmt::format("{} {:.3f}; {} has {:.3f}, so at least {:.3f} is asked", what, value,
                                             beside, other, least)};
  };
  const std::string like = "likeness to its photos is", true_to = "fit to the prompts is";
  const std::string base = "a plain " + class_word, live = "the published version";
  if (candidate.identity < plain.identity + asked.identity_gain_min)
    return refuse(like, candidate.identity, base, plain.identity, plain.identity + asked.identity_gain_min);
  if (candidate.fidelity < plain.fidelity - asked.fidelity_drop_max)
    return refuse(true_to, candidate.fidelity, base, plain.fidelity, plain.fidelity - asked.fidelity_drop_max);
  if (published && candidate.identity < published->identity - asked.identity_loss_max)
    return refuse(like, candidate.identity, live, published->identity, published->identity - asked.identity_loss_max);
  if (published && candidate.fidelity < published->fidelity - asked.fidelity_loss_max)
    return refuse(true_to, candidate.fidelity, live, published->fidelity,
                  published->fidelity - asked.fidelity_loss_max);
  return {.accepted = true,
          .reason = fmt::format("likeness to its photos {:.3f} ({} {:.3f}), fit to the prompts {:.3f} ({:.3f})",
                                candidate.identity, base, plain.identity, candidate.fidelity, plain.fidelity)};
}

std::optional<Gate> Gate::open(const diffusion::ModelBundle& bundle) {
  auto asked = GateSettings::of(bundle);
  if (!asked) return std::nullopt;
  auto judge = Judge::open(asked->judge);
  return Gate(std::move(*asked), std::move(judge));
}

GateMeasures Gate::measure(diffusion::ModelBundle& bundle, const GateOrder& order, const std::string& words,
                           const std::shared_ptr<const diffusion::EditSet>& edits, std::uint64_t first_seed) {
  return judged(probe_pictures(bundle, plan_of(asked_, order, first_seed), words, edits), order);
}

GateMeasures Gate::judged(const Tensor& pictures, const GateOrder& order) {
  if (!pictures.isfinite().all().item<bool>()) return {.identity = NAN, .fidelity = NAN, .copy_distance = NAN};
  std::vector<std::string> captions;
  for (const auto& prompt : asked_.prompts)
    captions.insert(captions.end(), static_cast<std::size_t>(seeds_of(asked_, order)),
                    filled(prompt, order.candidate.class_word));
  const auto drawn = judge_.of_pictures(pictures);
  if (!order.photos.defined()) return {.identity = NAN, .fidelity = judge_.fit(drawn, captions), .copy_distance = NAN};
  const auto photos = judge_.of_pictures(order.photos);
  return {.identity = torch::matmul(drawn, photos.t()).mean().item<double>(),
          .fidelity = judge_.fit(drawn, captions),
          .copy_distance = copy_distance(drawn, photos).distance.mean().item<double>()};
}

GateProbe Gate::probe(diffusion::ModelBundle& bundle, const GateOrder& order) {
  const auto pictures =
      probe_pictures(bundle, plan_of(asked_, order), order.candidate.placeholder, edits_on(bundle, order.candidate))
          .to(torch::kFloat)
          .contiguous();
  std::string drawn = std::to_string(asked_.seeds) + " " + std::to_string(bundle.defaults.steps) + " " +
                      std::to_string(bundle.defaults.guidance);
  for (const auto& prompt : asked_.prompts) drawn += "\n" + prompt;
  return {.measures = judged(pictures, order),
          .pictures = Digest::of({static_cast<const char*>(pictures.data_ptr()), pictures.nbytes()}),
          .count = pictures.size(0),
          .asked = Digest::of(drawn)};
}

GateReport Gate::run(diffusion::ModelBundle& bundle, const GateOrder& order) {
  const auto covariance = diffusion::TokenCovariance::if_any(bundle);
  const auto base = diffusion::DeltaBase::of(bundle, covariance ? &*covariance : nullptr);
  const auto measure_delta = [&](const diffusion::Delta& delta) {
    const auto edits = std::make_shared<const diffusion::EditSet>(diffusion::delta_edits(delta, base));
    return measure(bundle, order, delta.placeholder, edits);
  };
  const auto candidate = measure_delta(order.candidate);
  const auto plain = measure(bundle, order, order.candidate.class_word, nullptr);
  std::optional<GateMeasures> published;
  if (order.published) published = measure_delta(*order.published);
  GateReport report{.verdict = decide(asked_, candidate, plain, order.published_is_draft ? std::nullopt : published,
                                      order.candidate.class_word)};
  put(report.metrics, "", candidate), put(report.metrics, "_class", plain);
  if (published) put(report.metrics, "_published", *published);
  if (order.light) report.metrics["gate_light"] = 1;
  report.metrics["gate_copy_distance"] = candidate.copy_distance;
  return report;
}

}  // namespace conceptd::learner
