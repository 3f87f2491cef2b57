#include "daemon/api/wire.h"
#include "daemon/routes.h"
#include "daemon/to_api.h"

namespace conceptd::daemon {
namespace {

using registry::ConceptName;

struct Looked {
  api::ConceptSummary summary;
  std::optional<registry::Version> live;
  std::optional<registry::Job> last_job;
  std::string problem;
};

Looked look_at(const Services& services, const registry::ConceptRecord& record) {
  Looked looked;
  const auto state = services.live.now();
  const auto found = state->concepts.find(record.name);
  const LiveConcept* live = found == state->concepts.end() ? nullptr : &found->second;
  const ConceptName name = ConceptName::parse(record.name);
  if (record.live_version) looked.live = services.registry.version(name, *record.live_version);
  const auto jobs = services.registry.jobs().list({.name = record.name, .limit = 1});
  if (!jobs.empty()) looked.last_job = jobs.front();
  if (live) looked.problem = live->problem;
  looked.summary = summary_of(record, live, looked.live, looked.last_job);
  return looked;
}

registry::Pinning pinning(bool pin) { return pin ? registry::Pinning::pin : registry::Pinning::leave_free; }

}  // namespace

api::ConceptSummary summary_now(const Services& services, const registry::ConceptRecord& record) {
  return look_at(services, record).summary;
}

HttpResponse list_concepts(const Services& services) {
  api::ConceptList list{.state = services.live.now()->state->id};
  for (const registry::ConceptRecord& record : services.registry.list())
    list.concepts.push_back(summary_now(services, record));
  return json_response(api::encode(list));
}

HttpResponse show_concept(const Services& services, const std::string& id) {
  const registry::ConceptRecord record = services.registry.show(ConceptName::parse(id));
  const Looked looked = look_at(services, record);
  api::ConceptDetail detail{.summary = looked.summary, .created_by = record.created_by};
  for (const registry::Photo& photo : record.photos) detail.photos.push_back(to_api(photo));
  if (looked.live) detail.live = to_api(*looked.live);
  if (looked.last_job) detail.last_job = job_info(services, *looked.last_job);
  if (!looked.problem.empty()) detail.problem = looked.problem;
  return json_response(api::encode(detail));
}

HttpResponse concept_history(const Services& services, const std::string& id) {
  api::History history{.name = id};
  for (const registry::Version& version : services.registry.history(ConceptName::parse(id)))
    history.versions.push_back(to_api(version));
  return json_response(api::encode(history));
}

HttpResponse roll_back(const Services& services, const HttpRequest& request, const std::string& id) {
  const ConceptName name = ConceptName::parse(id);
  const auto wanted = api::decode_request<api::RollBack>(body_of(request));
  const std::optional<int> from = services.registry.show(name).live_version;
  const bool pin = wanted.pin.value_or(true);
  const auto state =
      services.registry.roll_back(name, wanted.to, request.actor, wanted.reason.value_or(""), pinning(pin));
  return json_response(api::encode(api::RolledBack{
      .name = id, .from = from, .to = state->entries.find(id)->second.version, .state = state->id, .pinned = pin}));
}

HttpResponse roll_back_state(const Services& services, const HttpRequest& request, const std::string& id) {
  const auto wanted = api::decode_request<api::RollBackState>(body_of(request));
  const bool pin = wanted.pin.value_or(true);
  const std::int64_t like = id == "0" ? 0 : number_of(id, "id");
  const auto state = services.registry.roll_back_state(like, request.actor, wanted.reason.value_or(""), pinning(pin));
  return json_response(api::encode(api::StateRolledBack{.from = state->parent.value_or(0),
                                                        .like = like,
                                                        .state = state->id,
                                                        .concepts = static_cast<int>(state->entries.size()),
                                                        .pinned = pin}));
}

}  // namespace conceptd::daemon
