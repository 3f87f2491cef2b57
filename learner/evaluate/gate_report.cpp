#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "diffusion/token_covariance.h"
#include "learner/evaluate/held_out.h"
#include "learner/evaluate/kept_deltas.h"
#include "learner/evaluate/reports.h"
#include "learner/gate/gate.h"

namespace conceptd::evaluate {

namespace {
// One figure of every version, at several sets of seeds.
struct Spread {
  std::vector<std::vector<double>> rows;  // a version each

  nlohmann::json to_json() const {
    double sum = 0, squares = 0, freedom = 0, least = INFINITY, most = -INFINITY;
    for (const auto& row : rows) {
      double mean = 0;
      for (const double value : row) mean += value / static_cast<double>(row.size());
      for (const double value : row) squares += (value - mean) * (value - mean);
      freedom += static_cast<double>(row.size()) - 1;
      sum += mean / static_cast<double>(rows.size());
      least = std::min(least, *std::min_element(row.begin(), row.end()));
      most = std::max(most, *std::max_element(row.begin(), row.end()));
    }
    return {{"mean", sum}, {"least", least}, {"most", most}, {"deviation_over_seeds", std::sqrt(squares / freedom)}};
  }
};
}  // namespace

nlohmann::json report_gate(diffusion::ModelBundle& bundle, const ConceptPlan& plan, int64_t repeats) {
  if (repeats < 2) throw Error(Code::invalid, "noise needs two sets of seeds", "repeats");
  auto gate = learner::Gate::open(bundle);
  if (!gate) throw Error(Code::not_found, "the base has no gate.json");
  const auto covariance = diffusion::TokenCovariance::of(bundle);
  const auto base = diffusion::DeltaBase::of(bundle, &covariance);
  std::map<std::string, std::map<std::string, Spread>> all;  // method -> figure
  for (int64_t c = plan.first; c < plan.first + plan.concepts; ++c) {
    const HeldOutCase held(c, plan.photos);
    for (const auto& method : plan.methods) {
      learner::LearnContext context{.bundle = bundle};
      const auto settings = plan.settings.value(method, nlohmann::json::object());
      const auto delta = learn_or_recall(method, held.request(settings), context, plan.deltas).delta;
      const auto edits = std::make_shared<const diffusion::EditSet>(diffusion::delta_edits(delta, base));
      const learner::GateOrder order{.candidate = delta, .photos = held.photos};
      auto& figures = all[method];
      for (auto* row : {&figures["identity"], &figures["fidelity"], &figures["identity_gain"],
                        &figures["fidelity_drop"], &figures["copy_distance"]})
        row->rows.emplace_back();
      for (int64_t k = 0; k < repeats; ++k) {
        const auto seed = static_cast<std::uint64_t>(1 + k * gate->asked().seeds);
        const auto drawn = gate->measure(bundle, order, delta.placeholder, edits, seed);
        const auto plain = gate->measure(bundle, order, held.word, nullptr, seed);
        figures["identity"].rows.back().push_back(drawn.identity);
        figures["fidelity"].rows.back().push_back(drawn.fidelity);
        figures["identity_gain"].rows.back().push_back(drawn.identity - plain.identity);
        figures["fidelity_drop"].rows.back().push_back(plain.fidelity - drawn.fidelity);
        figures["copy_distance"].rows.back().push_back(drawn.copy_distance);
      }
      std::printf("%s %s: identity gain %.3f, fidelity drop %.3f at the last seeds\n", held.name.c_str(),
                  method.c_str(), figures["identity_gain"].rows.back().back(),
                  figures["fidelity_drop"].rows.back().back());
      std::fflush(stdout);
    }
  }
  nlohmann::json out{{"concepts", plan.concepts}, {"repeats", repeats}};
  for (const auto& [method, figures] : all)
    for (const auto& [figure, spread] : figures) out["ways"][method][figure] = spread.to_json();
  return out;
}

}  // namespace conceptd::evaluate
