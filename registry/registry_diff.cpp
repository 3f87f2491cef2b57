// Registry: in what two versions of a concept, or two states, differ.
#include <set>

#include "registry/registry.h"
#include "registry/rows.h"
#include "registry/sqlite.h"

namespace conceptd::registry {
namespace {

using Kind = Transaction::Kind;

// A version as fields by name; the numbers of its settings and metrics each by themselves.
Json fields_of(const Version& version) {
  Json fields{{"method", version.method},
              {"base", version.base_fingerprint},
              {"delta", version.delta.tagged()},
              {"delta_bytes", version.delta_bytes},
              {"seed", version.seed},
              {"verdict", to_string(version.verdict)},
              {"verdict_reason", version.verdict_reason}};
  if (version.parent) fields["parent"] = *version.parent;
  if (version.erased_at) fields["erased_at"] = to_iso8601(*version.erased_at);
  Json photos = Json::array();
  for (const Digest& digest : version.photos) photos.push_back(digest.tagged());
  fields["photos"] = photos;
  for (const auto& [name, value] : version.settings.items()) fields["settings." + name] = value;
  for (const auto& [name, value] : version.metrics.items()) fields["metrics." + name] = value;
  return fields;
}

std::vector<Change> changes(const Json& from, const Json& to) {
  std::set<std::string> names;
  for (const Json* side : {&from, &to})
    for (const auto& [name, ignored] : side->items()) names.insert(name);
  std::vector<Change> found;
  for (const std::string& name : names) {
    Change change{.field = name, .from = from.value(name, Json()), .to = to.value(name, Json())};
    if (change.from != change.to) found.push_back(std::move(change));
  }
  return found;
}

Json versions_of(const State& state) {
  Json versions = Json::object();
  for (const auto& [name, entry] : state.entries) versions[name] = entry.version;
  return versions;
}

}  // namespace

std::vector<Change> Registry::diff(const ConceptName& name, int from, int to) const {
  Transaction tx(*database_, Kind::read, "comparing versions of " + name.str());
  const ConceptRow owner = require_concept(tx, name.str(), true);
  return changes(fields_of(require_version(tx, owner, from, false)), fields_of(require_version(tx, owner, to, false)));
}

std::vector<Change> Registry::diff_states(std::int64_t from, std::int64_t to) const {
  Transaction tx(*database_, Kind::read, "comparing states");
  return changes(versions_of(*read_state(tx, from)), versions_of(*read_state(tx, to)));
}

}  // namespace conceptd::registry
