#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <random>

#include "daemon/api/choices.h"
#include "daemon/api/limits.h"
#include "daemon/api/wire.h"
#include "daemon/prompt.h"
#include "daemon/routes.h"

namespace conceptd::daemon {
namespace {

// The concepts of a prompt as one state has them.
struct Resolved {
  std::vector<DeltaHandle> deltas;
  std::vector<api::UsedConcept> used;
  Manifest named;
};

std::optional<int> version_asked_for(const Services& services, const registry::ConceptReference& reference) {
  if (reference.alias.empty() || reference.alias == "live") return reference.version;
  try {
    return services.registry.resolve(reference.name, reference.alias);
  } catch (const Error& error) {
    throw Error(error.code(), error.what(), "prompt");
  }
}

Error not_live(const registry::ConceptRecord& record) {
  const std::string& name = record.name;
  const std::string version = name + "@" + std::to_string(record.newest_version);
  std::string what = " is not learnt yet; start it with: conceptctl learn " + name;
  if (record.newest_version > 0)
    what = " is learnt and not published (conceptctl history " + name + " says why); <" + version + "> draws it";
  if (record.imported && record.photos.empty())
    what = " was imported and is not published yet; <" + version + "> draws it, conceptctl promote " + version +
           " publishes it";
  if (record.active_job)
    what = " is not learnt yet; job " + std::to_string(*record.active_job) + " is to do that: conceptctl watch " + name;
  return Error(Code::conflict, name + what, "prompt");
}

LiveConcept live_concept(const Services& services, const LiveState& live, const registry::ConceptReference& reference) {
  const std::string& name = reference.name.str();
  const auto found = live.concepts.find(name);
  const std::optional<int> version = version_asked_for(services, reference);
  if (version && (found == live.concepts.end() || found->second.version != *version))
    return services.live.pinned(reference.name, *version);
  if (found != live.concepts.end()) return found->second;
  throw not_live(services.registry.show(reference.name));
}

Resolved resolve(const Services& services, const LiveState& live, const Prompt& prompt) {
  Resolved resolved;
  for (const registry::ConceptReference& reference : prompt.references) {
    const LiveConcept item = live_concept(services, live, reference);
    if (!item.delta)
      throw Error(
          Code::conflict,
          reference.name.str() + " version " + std::to_string(item.version) + " cannot be used: " + item.problem,
          "prompt");
    resolved.named.emplace(reference.name.str(), item.digest);
    resolved.deltas.push_back(item.delta);
    resolved.used.push_back(
        {.name = reference.name.str(), .version = item.version, .digest = item.digest.tagged(), .method = item.method});
  }
  return resolved;
}

// Null: each concept is drawn from its own delta. A request that turns a dial of single deltas gets those.
DeltaHandle consolidated_for(const LiveState& live, const api::GenerateRequest& request, const Resolved& resolved) {
  const bool dialled = request.gate_bias || request.gate_temperature || request.key_lock;
  if (!live.consolidated || dialled || !request.consolidated.value_or(true)) return nullptr;
  const Route chosen = route(resolved.named, live.manifest, {&live.consolidated->members, 1});
  return chosen.way == Route::Way::consolidated ? live.consolidated : nullptr;
}

Sampling sampling_for(const ModelFacts& facts, const api::GenerateRequest& request) {
  Sampling sampling{.sampler = request.sampler.value_or(facts.default_sampler),
                    .steps = request.steps.value_or(facts.default_steps),
                    .guidance = request.guidance.value_or(facts.default_guidance),
                    .width = request.width.value_or(facts.side),
                    .height = request.height.value_or(facts.side)};
  if (std::find(facts.samplers.begin(), facts.samplers.end(), sampling.sampler) == facts.samplers.end()) {
    std::string list;
    for (const std::string& name : facts.samplers) list += (list.empty() ? "" : ", ") + name;
    throw Error(Code::invalid, "there is no sampler called '" + sampling.sampler + "'; there are " + list, "sampler");
  }
  return sampling;
}

template <std::size_t n>
void check_choice(const std::optional<std::string>& value, const std::array<std::string_view, n>& choices,
                  const char* field) {
  if (!value || std::find(choices.begin(), choices.end(), *value) != choices.end()) return;
  std::string list;
  for (const std::string_view choice : choices) list.append(list.empty() ? "" : ", ").append(choice);
  throw Error(Code::invalid, "'" + *value + "' is none of " + list, field);
}

void check_cost(const ModelFacts& facts, const Sampling& sampling, int count) {
  const double own = static_cast<double>(facts.side) * facts.side,
               area = static_cast<double>(sampling.width) * sampling.height;
  const double work = count * sampling.steps * area / own;
  if (work <= api::kPictureStepsMax) return;
  throw Error(
      Code::invalid,
      fmt::format("{} x {} steps of {}x{} pixels are the work of {:.0f} steps at {}x{}, and a request may ask for {}; "
                  "ask for fewer, smaller or shorter ones",
                  count, sampling.steps, sampling.width, sampling.height, work, facts.side, facts.side,
                  api::kPictureStepsMax),
      area > own ? "width" : "steps");
}

bool has_a_gate(const api::UsedConcept& used) { return used.method == "perfusion"; }

std::vector<std::string> warnings_about(const Model& model, const api::GenerateRequest& request, const Prompt& prompt,
                                        const std::vector<api::UsedConcept>& used) {
  std::vector<std::string> warnings;
  std::string unknown;
  for (const std::string& word : words_of(request.prompt))
    if (!model.is_single_token(word)) unknown += (unknown.empty() ? "'" : ", '") + word + "'";
  if (!unknown.empty())
    warnings.push_back("the base model has no word of its own for " + unknown + " and reads it in pieces");
  if (const std::string dropped = model.dropped_text(prompt.text); !dropped.empty())
    warnings.push_back("the prompt is longer than the base model reads; left out: " + dropped);
  const std::string ungated = "only concepts of perfusion have a gate and locked keys, and the prompt names none";
  const bool asked = request.gate_bias || request.gate_temperature || request.key_lock;
  if (asked && std::none_of(used.begin(), used.end(), has_a_gate)) warnings.push_back(ungated);
  return warnings;
}

// Off unless asked for: on the embedded base it costs more than it gains (docs/methods/l2dm.md).
bool is_guided(const api::GenerateRequest& request, const std::vector<api::UsedConcept>& used) {
  return request.concept_attention == "auto" && used.size() > 1;
}

std::int64_t random_seed() {
  std::random_device device;
  return std::uniform_int_distribution<std::int64_t>(0, (std::int64_t{1} << 31) - 1)(device);
}

// The answer but for the pictures, and what each of them will carry.
struct Draft {
  api::GenerateResponse answer;
  api::Provenance provenance;
  std::int64_t seed = 0;
};

Draft draft_of(const Services& services, const api::GenerateRequest& request, const Sampling& sampling,
               const LiveState& live, std::vector<api::UsedConcept> used) {
  const ModelFacts& facts = services.model.facts();
  Draft draft{.answer = {}, .provenance = {}, .seed = request.seed.value_or(random_seed())};
  draft.provenance = {.release = CONCEPTD_VERSION,
                      .prompt = request.prompt,
                      .negative_prompt = request.negative_prompt.value_or(""),
                      .sampler = sampling.sampler,
                      .steps = sampling.steps,
                      .guidance = sampling.guidance,
                      .width = sampling.width,
                      .height = sampling.height,
                      .state = live.state->id,
                      .concepts = used,
                      .base = facts.name,
                      .base_fingerprint = facts.fingerprint,
                      .gate_bias = request.gate_bias,
                      .gate_temperature = request.gate_temperature,
                      .key_lock = request.key_lock};
  if (is_guided(request, used)) draft.provenance.concept_attention = "auto";
  draft.answer = {.prompt = request.prompt,
                  .state = live.state->id,
                  .concepts = std::move(used),
                  .base = facts.name,
                  .base_fingerprint = facts.fingerprint,
                  .sampler = sampling.sampler,
                  .steps = sampling.steps,
                  .guidance = sampling.guidance,
                  .width = sampling.width,
                  .height = sampling.height};
  return draft;
}

HttpResponse answer_with(Draft& draft, const Made& made) {
  for (std::size_t i = 0; i < made.pictures.size(); ++i) {
    draft.provenance.seed = draft.seed + static_cast<std::int64_t>(i);
    draft.answer.images.push_back({.seed = draft.provenance.seed,
                                   .png = {picture::encode_png(made.pictures[i], api::png_texts(draft.provenance))}});
  }
  draft.answer.seconds = made.seconds;
  draft.answer.queued_s = made.queued_s;
  return json_response(api::encode(draft.answer));
}

}  // namespace

void generate(const Services& services, const HttpRequest& http, const Respond& respond) {
  const auto request = api::decode_request<api::GenerateRequest>(body_of(http));
  const std::vector<std::string> known = services.registry.names();
  Prompt prompt;
  try {
    prompt = read_prompt(request.prompt, known);
  } catch (const Error& error) {
    return respond(error_response(error, suggestions_for(request.prompt, known)));
  }
  const std::string negative = request.negative_prompt.value_or("");
  if (mentions_concepts(negative))
    throw Error(Code::invalid, "a concept cannot stand in the negative prompt", "negative_prompt");

  check_choice(request.key_lock, api::kKeyLocks, "key_lock");
  check_choice(request.concept_attention, api::kConceptAttention, "concept_attention");

  // The state is taken once: whatever is published meanwhile, these pictures are of this one.
  const std::shared_ptr<const LiveState> live = services.live.now();
  Resolved resolved = resolve(services, *live, prompt);
  const Sampling sampling = sampling_for(services.model.facts(), request);
  check_cost(services.model.facts(), sampling, request.count.value_or(1));
  const DeltaHandle consolidated = consolidated_for(*live, request, resolved);
  auto draft = std::make_shared<Draft>(draft_of(services, request, sampling, *live, std::move(resolved.used)));
  if (consolidated) draft->answer.consolidated = draft->provenance.consolidated = live->consolidated_digest->tagged();
  draft->answer.warnings = warnings_about(services.model, request, prompt, draft->answer.concepts);

  GenerationTask task{.sampling = sampling};
  for (int i = 0; i < request.count.value_or(1); ++i)
    task.orders.push_back({.prompt = prompt.text,
                           .negative_prompt = negative,
                           .deltas = resolved.deltas,
                           .consolidated = consolidated,
                           .seed = static_cast<std::uint64_t>(draft->seed + i),
                           .gate = {.bias = request.gate_bias, .temperature = request.gate_temperature},
                           .key_lock = request.key_lock.value_or("local"),
                           .attention = draft->provenance.concept_attention.has_value()});
  task.done = [draft, respond](const Made& made) {
    HttpResponse response;
    try {
      response = answer_with(*draft, made);
    } catch (const std::exception& error) {
      response = error_response(Error(Code::internal, std::string("writing the pictures: ") + error.what()));
    }
    respond(std::move(response));
  };
  task.failed = [respond](const Error& error) { respond(error_response(error)); };
  if (http.abandoned) task.abandoned = [gone = http.abandoned] { return gone->load(); };
  services.generation.submit(std::move(task));
}

}  // namespace conceptd::daemon
