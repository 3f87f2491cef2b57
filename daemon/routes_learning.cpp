#include <algorithm>
#include <cmath>
#include <random>

#include "daemon/api/wire.h"
#include "daemon/photo_checks.h"
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
  if (known.empty())
    throw Error(Code::invalid, "no method learns on the base model " + services.model.facts().name, "method");
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
  if (request.settings) settings.rest = request.settings->values;
  for (const std::string name : {"steps", "seed"})
    if (settings.rest.contains(name))
      throw Error(Code::invalid, "'" + name + "' stands beside the settings, not among them", "settings." + name);
  if (request.steps) settings.rest["steps"] = *request.steps;
  return settings;
}

std::optional<TimePoint> deadline_of(const Services& services, const std::optional<double>& seconds) {
  if (!seconds) return {};
  return services.clock.now() + std::chrono::milliseconds(std::llround(*seconds * 1000));
}

void check_class_word(const Services& services, const std::string& word) {
  if (!services.model.is_single_token(word))
    throw Error(Code::invalid,
                "the base model " + services.model.facts().name + " does not know '" + word +
                    "' as one word; give the plainest word for what it is, such as 'mug' or 'cat'",
                "class");
}

std::vector<std::string> warnings_about_request(const Services& services, const api::AddConcept& wanted) {
  std::vector<std::string> warnings;
  if (const std::string other = look_alike(wanted.name, services.registry.names()); !other.empty())
    warnings.push_back("'" + wanted.name + "' is easily taken for '" + other + "', which is there already");
  if (wanted.photos.size() < 3)
    warnings.emplace_back("three to five photos, each with another background, show better what belongs to the thing");
  if (std::any_of(wanted.photos.begin(), wanted.photos.end(),
                  [](const auto& p) { return !p.caption.value_or("").empty(); }))
    warnings.emplace_back("the captions are kept, but no method learns from captions yet");
  return warnings;
}

// The answer to a dry run: what add_concept() would have been asked to store.
HttpResponse planned(const Services& services, const registry::AddRequest& adding, const LearnSettings& settings,
                     const api::AddConcept& wanted, std::vector<std::string> warnings) {
  services.registry.check_add(adding);
  api::Planned answer{.plan = {.name = adding.name.str(),
                               .class_word = adding.class_word,
                               .method = settings.method,
                               .steps = wanted.steps,
                               .seed = wanted.seed,
                               .settings = wanted.settings,
                               .draft = adding.draft.has_value()},
                      .warnings = std::move(warnings)};
  for (const api::MethodInfo& method : methods_of(services))
    if (method.name == settings.method) answer.plan.typical_seconds = method.typical_seconds;
  for (const registry::NewPhoto& photo : adding.photos)
    answer.plan.photos.push_back({.digest = Digest::of(photo.bytes).tagged(),
                                  .media_type = photo.media_type,
                                  .name = photo.original_name,
                                  .caption = photo.caption,
                                  .size_bytes = static_cast<std::int64_t>(photo.bytes.size()),
                                  .width = photo.width,
                                  .height = photo.height});
  return json_response(api::encode(answer));
}

// Of the job that goes before the concept's own; empty: none does.
std::optional<Json> draft_for(const Services& services, const api::AddConcept& wanted, const LearnSettings& settings) {
  const std::string& method = services.model.facts().draft_method;
  if (!wanted.draft.value_or(services.config.draft) || method == settings.method) return {};
  if (!method.empty()) return job_settings({.method = method, .seed = settings.seed});
  if (!wanted.draft) return {};
  throw Error(Code::invalid, "the base model " + services.model.facts().name + " has no method that drafts", "draft");
}

HttpResponse queued(const Services& services, const ConceptName& name, const registry::Job& job, int status,
                    std::vector<std::string> warnings, const std::optional<registry::Job>& draft = {}) {
  services.runner.wake();
  api::Queued answer{.summary = summary_now(services, services.registry.show(name)),
                     .job = job_info(services, job),
                     .warnings = std::move(warnings)};
  if (draft) answer.draft = job_info(services, *draft);
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
  std::vector<std::string> warnings = warnings_about_request(services, wanted);
  CheckedPhotos checked = check_photos(services, wanted.photos);
  warnings.insert(warnings.end(), checked.warnings.begin(), checked.warnings.end());
  const registry::AddRequest adding{.name = name,
                                    .class_word = wanted.class_word,
                                    .photos = std::move(checked.photos),
                                    .settings = job_settings(settings),
                                    .actor = request.actor,
                                    .urgent = wanted.now.value_or(false),
                                    .attempts_max = services.config.attempts_max,
                                    .deadline = deadline_of(services, wanted.deadline_s),
                                    .draft = draft_for(services, wanted, settings)};
  if (wanted.dry_run.value_or(false)) return planned(services, adding, settings, wanted, std::move(warnings));
  const registry::Added added = services.registry.add_concept(adding);
  return queued(services, name, added.job, 201, std::move(warnings), added.draft);
}

HttpResponse learn_again(const Services& services, const HttpRequest& request, const std::string& id) {
  const ConceptName name = ConceptName::parse(id);
  const auto wanted = api::decode_request<api::LearnAgain>(body_of(request));
  const registry::ConceptRecord record = services.registry.show(name);
  require_own(request.caller, record.created_by, id);
  if (record.active_job)
    throw Error(Code::conflict, id + " is being learnt already, by job " + std::to_string(*record.active_job));
  const registry::Job job = services.registry.jobs().enqueue({.name = id,
                                                              .settings = job_settings(settings_for(services, wanted)),
                                                              .requested_by = request.actor,
                                                              .urgent = wanted.now.value_or(false),
                                                              .attempts_max = services.config.attempts_max,
                                                              .deadline = deadline_of(services, wanted.deadline_s)});
  return queued(services, name, job, 202, {});
}

}  // namespace conceptd::daemon
