// Evaluations: asked for, looked at, given up.
#include <algorithm>

#include "daemon/api/limits.h"
#include "daemon/api/wire.h"
#include "daemon/evaluations.h"
#include "daemon/prompt.h"
#include "daemon/routes.h"
#include "learner/template.h"

namespace conceptd::daemon {
namespace {

constexpr int kSeedsDefault = 4;

// The one that is meant where nothing is said: what serves, else what was learnt last.
int version_meant(const Services& services, const registry::ConceptRecord& record,
                  const std::optional<std::string>& asked) {
  if (asked) return services.registry.resolve(registry::ConceptName::parse(record.name), *asked);
  if (record.live_version) return *record.live_version;
  if (record.newest_version == 0)
    throw Error(Code::conflict, record.name + " is not learnt yet; watch it: conceptctl watch " + record.name, "name");
  return record.newest_version;
}

void check_prompts(const std::vector<std::string>& prompts) {
  if (prompts.empty()) throw Error(Code::invalid, "'prompts' must hold one at least, or be left out", "prompts");
  for (std::size_t k = 0; k < prompts.size(); ++k) {
    const std::string field = "prompts[" + std::to_string(k) + "]";
    const std::string& prompt = prompts[k];
    if (prompt.size() > api::kPromptBytesMax)
      throw Error(Code::invalid,
                  "'" + field + "' must be at most " + std::to_string(api::kPromptBytesMax) + " bytes long", field);
    if (!learner::has_one_gap(prompt))
      throw Error(Code::invalid,
                  "'" + field + "' must have one {} in it, where the thing stands: \"a {} on the beach\"", field);
    if (mentions_concepts(prompt))
      throw Error(Code::invalid, "'" + field + "' names a concept; {} stands for the one that is measured", field);
  }
}

}  // namespace

HttpResponse evaluate_concept(const Services& services, const HttpRequest& request, const std::string& id) {
  const auto wanted = api::decode_request<api::EvaluateConcept>(body_of(request));
  const auto record = services.registry.show(registry::ConceptName::parse(id));
  if (wanted.prompts) check_prompts(*wanted.prompts);
  if (mentions_concepts(wanted.words.value_or("")))
    throw Error(Code::invalid, "'words' describes the thing without naming a concept", "words");
  const auto version =
      services.registry.version(registry::ConceptName::parse(id), version_meant(services, record, wanted.version));
  const auto pictures = wanted.prompts.value_or(std::vector<std::string>(1)).size() *
                        static_cast<std::size_t>(wanted.seeds.value_or(kSeedsDefault));
  if (pictures > api::kEvaluatedPicturesMax)
    throw Error(Code::invalid,
                std::to_string(pictures) + " pictures of each way of asking are too many; prompts times seeds may be " +
                    std::to_string(api::kEvaluatedPicturesMax),
                "seeds");
  const std::string label = record.name + "@" + std::to_string(version.number);
  if (version.erased_at) throw Error(Code::conflict, label + " was erased by gc", "version");
  if (version.base_fingerprint != services.model.facts().fingerprint)
    throw Error(Code::conflict, label + " was learnt on another base model", "version");
  const auto asked = services.evaluations.ask({.name = record.name,
                                               .version = version.number,
                                               .class_word = record.class_word,
                                               .seeds = wanted.seeds.value_or(kSeedsDefault),
                                               .words = wanted.words.value_or(""),
                                               .actor = request.actor},
                                              wanted.prompts.value_or(std::vector<std::string>()));
  return json_response(api::encode(api::EvaluationAnswer{asked}), 202);
}

HttpResponse show_evaluation(const Services& services, const std::string& id) {
  return json_response(api::encode(api::EvaluationAnswer{services.evaluations.get(id)}));
}

HttpResponse evaluation_sheet(const Services& services, const std::string& id) {
  return {.status = 200, .content_type = "image/png", .body = services.evaluations.sheet(id)};
}

HttpResponse cancel_evaluation(const Services& services, const HttpRequest& request, const std::string& id) {
  require_own(request.caller, services.evaluations.get(id).actor, "evaluation " + id);
  return json_response(api::encode(api::EvaluationAnswer{services.evaluations.cancel(id)}));
}

}  // namespace conceptd::daemon
