// What holds, names, compares and moves versions, and takes concepts away or brings them back.
#include "daemon/api/wire.h"
#include "daemon/routes.h"

namespace conceptd::daemon {
namespace {

using registry::ConceptName;

std::optional<int> version_of(const registry::State& state, const std::string& name) {
  const auto found = state.entries.find(name);
  return found == state.entries.end() ? std::nullopt : std::optional(found->second.version);
}

// One side of a comparison.
struct Side {
  std::int64_t state = -1;  // -1: a version
  std::string name{};
  std::string version{};
};

Side side_of(const HttpRequest& request, const std::string& field) {
  const auto found = request.query.find(field);
  const std::string text = found == request.query.end() ? "" : found->second;
  constexpr std::string_view kState = "state:";
  if (text.starts_with(kState)) {
    const std::string id = text.substr(kState.size());
    return {.state = id == "0" ? 0 : number_of(id, field.c_str())};
  }
  const std::size_t at = text.find('@');
  if (text.empty() || at == std::string::npos)
    throw Error(Code::invalid, "'" + field + "' must be NAME@VERSION or state:NUMBER", field);
  return {.name = text.substr(0, at), .version = text.substr(at + 1)};
}

}  // namespace

HttpResponse pin_concept(const Services& services, const HttpRequest& request, const std::string& id) {
  const ConceptName name = ConceptName::parse(id);
  const auto wanted = api::decode_request<api::PinConcept>(body_of(request));
  std::optional<int> number;
  if (wanted.version) number = services.registry.resolve(name, *wanted.version);
  const registry::Pin pin = services.registry.pin(name, number, request.actor, wanted.reason.value_or(""));
  return json_response(
      api::encode(api::Pinned{.name = id, .version = pin.version, .pinned = true, .reason = pin.reason}));
}

HttpResponse unpin_concept(const Services& services, const HttpRequest& request, const std::string& id) {
  const ConceptName name = ConceptName::parse(id);
  const auto wanted = api::decode_request<api::ForReason>(body_of(request));
  services.registry.unpin(name, request.actor, wanted.reason.value_or(""));
  return json_response(api::encode(
      api::Pinned{.name = id, .version = services.registry.show(name).live_version.value_or(0), .pinned = false}));
}

HttpResponse promote(const Services& services, const HttpRequest& request, const std::string& id) {
  const ConceptName name = ConceptName::parse(id);
  const auto wanted = api::decode_request<api::Promote>(body_of(request));
  const registry::ConceptRecord before = services.registry.show(name);
  const int number = services.registry.resolve(name, wanted.version);
  const auto state = services.registry.promote(name, number, wanted.override_gate.value_or(false), request.actor,
                                               wanted.reason.value_or(""));
  return json_response(api::encode(api::RolledBack{
      .name = id, .from = before.live_version, .to = number, .state = state->id, .pinned = before.pin.has_value()}));
}

HttpResponse list_aliases(const Services& services, const std::string& id) {
  api::AliasList list{.name = id};
  for (const registry::Alias& alias : services.registry.aliases(ConceptName::parse(id)))
    list.aliases.push_back({.alias = alias.name,
                            .version = alias.version,
                            .set_by = alias.actor,
                            .created_at = to_iso8601(alias.created_at)});
  return json_response(api::encode(list));
}

HttpResponse set_alias(const Services& services, const HttpRequest& request, const std::string& id) {
  const ConceptName name = ConceptName::parse(id);
  const auto wanted = api::decode_request<api::SetAlias>(body_of(request));
  const int number = services.registry.resolve(name, wanted.version.value_or("live"));
  services.registry.set_alias(name, wanted.alias, number, request.actor);
  return list_aliases(services, id);
}

HttpResponse remove_alias(const Services& services, const HttpRequest& request, const std::string& id) {
  const auto wanted = api::decode_request<api::SetAlias>(body_of(request));
  if (wanted.version) throw Error(Code::invalid, "an alias is removed by its own name", "version");
  services.registry.remove_alias(ConceptName::parse(id), wanted.alias, request.actor);
  return list_aliases(services, id);
}

HttpResponse remove_concept(const Services& services, const HttpRequest& request, const std::string& id) {
  const auto wanted = api::decode_request<api::ForReason>(body_of(request));
  const auto state = services.registry.remove(ConceptName::parse(id), request.actor, wanted.reason.value_or(""));
  return json_response(api::encode(api::Moved{.name = id, .state = state->id}));
}

HttpResponse undelete_concept(const Services& services, const HttpRequest& request, const std::string& id) {
  const auto wanted = api::decode_request<api::ForReason>(body_of(request));
  const auto state = services.registry.undelete(ConceptName::parse(id), request.actor, wanted.reason.value_or(""));
  return json_response(api::encode(api::Moved{.name = id, .state = state->id, .version = version_of(*state, id)}));
}

HttpResponse diff(const Services& services, const HttpRequest& request) {
  const Side from = side_of(request, "from"), to = side_of(request, "to");
  if ((from.state < 0) != (to.state < 0) || from.name != to.name)
    throw Error(Code::invalid, "two versions of one concept can be compared, or two states", "to");
  std::vector<registry::Change> changes;
  if (from.state >= 0) {
    changes = services.registry.diff_states(from.state, to.state);
  } else {
    const ConceptName name = ConceptName::parse(from.name);
    changes = services.registry.diff(name, services.registry.resolve(name, from.version),
                                     services.registry.resolve(name, to.version));
  }
  api::Difference answer{.from = request.query.at("from"), .to = request.query.at("to")};
  for (registry::Change& change : changes)
    answer.changes.push_back(
        {.field = std::move(change.field), .from = std::move(change.from), .to = std::move(change.to)});
  return json_response(api::encode(answer));
}

}  // namespace conceptd::daemon
