#include "daemon/night_report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "daemon/api/wire.h"
#include "daemon/to_api.h"

namespace conceptd::daemon {
namespace {

using registry::NightMeasure;

constexpr std::int64_t kNightsShown = 30;

Json maybe(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json number_in(const Json& metrics, const char* key) {
  const auto found = metrics.find(key);
  return found != metrics.end() && found->is_number() ? *found : Json();
}

std::optional<double> number_of(const Json& value) {
  if (value.is_number()) return value.get<double>();
  return std::nullopt;
}

// What the gate stored with the version that a column ends with: numbers, or null.
struct AtPublication {
  int version = 0;
  Json identity{}, identity_class{}, fidelity{}, fidelity_class{};
};

AtPublication publication_of(registry::Registry& registry, const std::string& name, int number) {
  const registry::Version version = registry.version(registry::ConceptName::parse(name), number);
  return {.version = number,
          .identity = number_in(version.metrics, "gate_identity"),
          .identity_class = number_in(version.metrics, "gate_identity_class"),
          .fidelity = number_in(version.metrics, "gate_fidelity"),
          .fidelity_class = number_in(version.metrics, "gate_fidelity_class")};
}

Json matrix_json(const ScoreMatrix& m, const std::vector<std::optional<double>>& floors) {
  Json rows = Json::array(), floor_row = Json::array();
  for (const auto& row : m.score) {
    Json values = Json::array();
    for (const auto& value : row) values.push_back(maybe(value));
    rows.push_back(std::move(values));
  }
  for (const auto& floor : floors) floor_row.push_back(maybe(floor));
  const Retention r = retention_of(m, floors);
  return {{"score", rows},
          {"class_word", floor_row},
          {"average", maybe(r.average)},
          {"learning", maybe(r.learning)},
          {"backward_transfer", maybe(r.backward_transfer)},
          {"forgetting", maybe(r.forgetting)},
          {"worst_retention", maybe(r.worst_retention)},
          {"worst", r.worst}};
}

// Those of this night, each beside what the gate measured when it was published.
Json measured(const std::vector<NightMeasure>& measures, std::int64_t night,
              const std::map<std::string, AtPublication>& published) {
  Json list = Json::array();
  for (const NightMeasure& m : measures) {
    if (m.night != night) continue;
    const auto found = published.find(m.name);
    const AtPublication at =
        found != published.end() && found->second.version == m.version ? found->second : AtPublication{};
    list.push_back({{"name", m.name},
                    {"version", m.version},
                    {"delta", m.delta.tagged()},
                    {"pictures", m.pictures.tagged()},
                    {"count", m.count},
                    {"outcome", m.outcome},
                    {"conditions", m.conditions},
                    {"identity", maybe(m.identity)},
                    {"fidelity", m.fidelity},
                    {"identity_at_publication", at.identity},
                    {"fidelity_at_publication", at.fidelity},
                    {"seconds", m.seconds}});
  }
  return list;
}

Json sizes(registry::Registry& registry, const registry::State& state) {
  Json list = Json::array();
  for (const auto& [name, entry] : state.entries) {
    const registry::Version version = registry.version(registry::ConceptName::parse(name), entry.version);
    list.push_back({{"name", name}, {"version", entry.version}, {"delta_bytes", version.delta_bytes}});
  }
  return list;
}

}  // namespace

ScoreMatrix score_matrix(const std::vector<NightMeasure>& measures, Score score) {
  std::set<std::int64_t> nights;
  std::vector<std::string> concepts;  // in the order in which they came
  for (const NightMeasure& m : measures) {
    nights.insert(m.night);
    if (std::find(concepts.begin(), concepts.end(), m.name) == concepts.end()) concepts.push_back(m.name);
  }
  ScoreMatrix matrix{.nights = {nights.begin(), nights.end()}, .concepts = concepts};
  matrix.score.assign(nights.size(), std::vector<std::optional<double>>(concepts.size()));
  matrix.version.assign(nights.size(), std::vector<int>(concepts.size()));
  for (const NightMeasure& m : measures) {
    const auto i = static_cast<std::size_t>(std::distance(nights.begin(), nights.find(m.night)));
    const auto j = static_cast<std::size_t>(std::find(concepts.begin(), concepts.end(), m.name) - concepts.begin());
    matrix.score[i][j] = score == Score::identity ? m.identity : std::optional(m.fidelity);
    matrix.version[i][j] = m.version;
  }
  return matrix;
}

Json night_report(registry::Registry& registry, const registry::Night& night) {
  const auto measures = registry.nights().measures(std::max<std::int64_t>(1, night.id - kNightsShown + 1), night.id);
  const ScoreMatrix likeness = score_matrix(measures, Score::identity), fit = score_matrix(measures, Score::fidelity);
  std::map<std::string, AtPublication> published;
  std::vector<std::optional<double>> likeness_floor, fit_floor;
  for (std::size_t j = 0; j < likeness.concepts.size(); ++j) {
    int newest = 0;
    for (const auto& row : likeness.version) newest = row[j] > 0 ? row[j] : newest;
    const AtPublication at = publication_of(registry, likeness.concepts[j], newest);
    published[likeness.concepts[j]] = at;
    likeness_floor.push_back(number_of(at.identity_class));
    fit_floor.push_back(number_of(at.fidelity_class));
  }
  Json nights = Json::array();
  for (const std::int64_t id : likeness.nights) {
    const registry::Night each = registry.nights().get(id);
    nights.push_back({{"id", id}, {"date", each.date}});
  }
  Json versions = Json::array();
  for (const auto& row : likeness.version) versions.push_back(row);
  const auto after = registry.state(night.state_after.value_or(registry.head()->id));
  Json learnt = Json::array();
  for (const registry::NightLearnt& item : registry.nights().learnt(night.id))
    learnt.push_back(
        {{"name", item.name}, {"version", item.version}, {"outcome", item.outcome}, {"reason", item.reason}});
  return {{"schema", "conceptd/night/1"},
          {"night", api::encode(to_api(night))},
          {"learnt", learnt},
          {"manifest", manifest_of(*after).tagged()},
          {"consolidated", after->consolidated ? Json(after->consolidated->tagged()) : Json()},
          {"measured", measured(measures, night.id, published)},
          {"bytes", sizes(registry, *after)},
          {"matrices",
           {{"mode", "separate"},
            {"nights", nights},
            {"concepts", likeness.concepts},
            {"version", versions},
            {"likeness", matrix_json(likeness, likeness_floor)},
            {"fit", matrix_json(fit, fit_floor)}}}};
}

}  // namespace conceptd::daemon
