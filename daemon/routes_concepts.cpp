#include <algorithm>
#include <random>

#include "daemon/api/limits.h"
#include "daemon/api/wire.h"
#include "daemon/routes.h"
#include "daemon/to_api.h"

namespace conceptd::daemon {
namespace {

using registry::ConceptName;

std::uint64_t random_seed() {
  std::random_device device;
  return std::uniform_int_distribution<std::uint64_t>(0, (1u << 31) - 1)(device);
}

std::string method_for(const Services& services, const std::optional<std::string>& asked) {
  const std::vector<std::string>& known = services.model.facts().methods;
  const std::string& fallback = services.config.method.empty() ? known.front() : services.config.method;
  const std::string method = asked.value_or(fallback);
  if (std::find(known.begin(), known.end(), method) != known.end()) return method;
  std::string list;
  for (const std::string& name : known) list += (list.empty() ? "" : ", ") + name;
  throw Error(Code::invalid, "there is no method called '" + method + "'; there are " + list, "method");
}

template <typename Request>
LearnSettings settings_for(const Services& services, const Request& request) {
  LearnSettings settings{.method = method_for(services, request.method),
                         .seed = request.seed ? static_cast<std::uint64_t>(*request.seed) : random_seed()};
  if (request.steps) settings.rest["steps"] = *request.steps;
  return settings;
}

// Every photo is decoded whole before anything is written: what cannot be learnt from is refused here and now.
std::vector<registry::NewPhoto> checked_photos(const Services& services, std::vector<api::PhotoUpload>& uploads) {
  const Config& config = services.config;
  if (uploads.empty()) throw Error(Code::invalid, "a concept is learnt from photos, and there is none", "photos");
  if (static_cast<int>(uploads.size()) > config.photos_max)
    throw Error(Code::invalid,
                std::to_string(uploads.size()) + " photos are too many; at most " + std::to_string(config.photos_max) +
                    " are taken",
                "photos");
  const picture::Limits limits{.side_min = config.photo_side_min, .side_max = config.photo_side_max};
  std::vector<registry::NewPhoto> photos;
  for (std::size_t i = 0; i < uploads.size(); ++i) {
    try {
      const picture::Info info = picture::inspect(uploads[i].data.data, limits);
      picture::decode(uploads[i].data.data, info);
      photos.push_back({.bytes = std::move(uploads[i].data.data),
                        .media_type = std::string(media_type(info.format)),
                        .original_name = uploads[i].name,
                        .caption = uploads[i].caption.value_or(""),
                        .width = info.width,
                        .height = info.height});
    } catch (const Error& error) {
      const std::string field = "photos[" + std::to_string(i) + "]";
      throw Error(error.code(), field + " (" + uploads[i].name + "): " + error.what(), field);
    }
  }
  return photos;
}

void check_class_word(const Services& services, const std::string& word) {
  if (!services.model.is_single_token(word))
    throw Error(Code::invalid,
                "the base model " + services.model.facts().name + " does not know '" + word +
                    "' as one word; give the plainest word for what it is, such as 'mug' or 'cat'",
                "class");
}

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

HttpResponse queued(const Services& services, const ConceptName& name, const registry::Job& job, int status,
                    std::vector<std::string> warnings) {
  services.runner.wake();
  const api::Queued answer{.summary = look_at(services, services.registry.show(name)).summary,
                           .job = job_info(services, job),
                           .warnings = std::move(warnings)};
  HttpResponse response = json_response(api::encode(answer), status);
  response.headers.emplace_back("Location", "/api/v1/jobs/" + std::to_string(job.id));
  return response;
}

}  // namespace

HttpResponse add_concept(const Services& services, const HttpRequest& request) {
  auto wanted = api::decode_request<api::AddConcept>(body_of(request));
  const ConceptName name = ConceptName::parse(wanted.name);
  check_class_word(services, wanted.class_word);
  const LearnSettings settings = settings_for(services, wanted);
  std::vector<std::string> warnings;
  if (wanted.photos.size() < 3)
    warnings.push_back("three to five photos, each with another background, show better what belongs to the thing");
  const registry::Added added = services.registry.add_concept({.name = name,
                                                               .class_word = wanted.class_word,
                                                               .photos = checked_photos(services, wanted.photos),
                                                               .settings = job_settings(settings),
                                                               .actor = request.actor,
                                                               .attempts_max = services.config.attempts_max});
  return queued(services, name, added.job, 201, std::move(warnings));
}

HttpResponse list_concepts(const Services& services) {
  api::ConceptList list{.state = services.live.now()->state->id};
  for (const registry::ConceptRecord& record : services.registry.list())
    list.concepts.push_back(look_at(services, record).summary);
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

HttpResponse learn_again(const Services& services, const HttpRequest& request, const std::string& id) {
  const ConceptName name = ConceptName::parse(id);
  const auto wanted = api::decode_request<api::LearnAgain>(body_of(request));
  const registry::ConceptRecord record = services.registry.show(name);
  if (record.active_job)
    throw Error(Code::conflict, id + " is being learnt already, by job " + std::to_string(*record.active_job));
  const registry::Job job = services.registry.jobs().enqueue({.name = id,
                                                              .settings = job_settings(settings_for(services, wanted)),
                                                              .requested_by = request.actor,
                                                              .attempts_max = services.config.attempts_max});
  return queued(services, name, job, 202, {});
}

HttpResponse roll_back(const Services& services, const HttpRequest& request, const std::string& id) {
  const ConceptName name = ConceptName::parse(id);
  const auto wanted = api::decode_request<api::RollBack>(body_of(request));
  const std::optional<int> from = services.registry.show(name).live_version;
  const auto state = services.registry.roll_back(name, wanted.to, request.actor, wanted.reason.value_or(""));
  return json_response(api::encode(
      api::RolledBack{.name = id, .from = from, .to = state->entries.find(id)->second.version, .state = state->id}));
}

}  // namespace conceptd::daemon
