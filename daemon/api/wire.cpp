#include "daemon/api/wire.h"

#include "daemon/api/fields.h"
#include "daemon/api/limits.h"
#include "daemon/api/packs.h"

namespace conceptd::api {

// One function a struct; the templates of fields.h find it by its argument.
#define CONCEPTD_WIRE(Type)  \
  template <typename Fields> \
  void fields(Fields& field, Type& v)

constexpr Bounds kName{.min = 1, .max = 63};
constexpr Bounds kWord{.min = 1, .max = 63};
constexpr Bounds kSeed{.min = 0, .max = static_cast<double>(kSeedMax)};
constexpr Bounds kDeadline{.min = 1, .max = kDeadlineSecondsMax};
constexpr Bounds kReason{.max = kReasonBytesMax};
constexpr Bounds kSide{.min = kSideMin, .max = kSideMax};

CONCEPTD_WIRE(ErrorBody) {
  field("code", v.code), field("message", v.message), field("field", v.field), field("suggestions", v.suggestions);
}

CONCEPTD_WIRE(ProgressInfo) {
  field("step", v.step), field("steps", v.steps), field("loss", v.loss), field("eta_s", v.eta_s);
  field("message", v.message);
}

CONCEPTD_WIRE(JobInfo) {
  field("id", v.id), field("kind", v.kind), field("name", v.name), field("state", v.state), field("method", v.method);
  field("draft", v.draft), field("queue_position", v.queue_position), field("attempts", v.attempts),
      field("attempts_max", v.attempts_max);
  field("progress", v.progress), field("error_code", v.error_code), field("error_message", v.error_message);
  field("result_version", v.result_version), field("published", v.published), field("refused", v.refused);
  field("waits_until", v.waits_until), field("deadline", v.deadline), field("night", v.night),
      field("has_preview", v.has_preview);
  field("requested_by", v.requested_by), field("created_at", v.created_at), field("started_at", v.started_at);
  field("finished_at", v.finished_at);
}

CONCEPTD_WIRE(JobAnswer) { field("job", v.job); }
CONCEPTD_WIRE(JobList) { field("jobs", v.jobs); }

CONCEPTD_WIRE(PhotoUpload) {
  field("name", v.name, {.max = 300}), field("data", v.data, {.max = kPhotoBytesMax});
  field("caption", v.caption, {.max = kPromptBytesMax});
}

CONCEPTD_WIRE(AddConcept) {
  field("name", v.name, kName), field("class", v.class_word, kWord), field("photos", v.photos, {.max = kPhotosMax});
  field("method", v.method, kWord), field("steps", v.steps, {.min = 1, .max = kLearnStepsMax});
  field("seed", v.seed, kSeed), field("settings", v.settings, {.max = kSettingsMax}), field("dry_run", v.dry_run);
  field("now", v.now), field("deadline_s", v.deadline_s, kDeadline), field("draft", v.draft);
}

CONCEPTD_WIRE(PhotoInfo) {
  field("digest", v.digest), field("media_type", v.media_type), field("name", v.name), field("caption", v.caption);
  field("size_bytes", v.size_bytes), field("width", v.width), field("height", v.height);
}

CONCEPTD_WIRE(VersionInfo) {
  field("number", v.number), field("method", v.method), field("live", v.live), field("published", v.published);
  field("verdict", v.verdict), field("verdict_reason", v.verdict_reason), field("digest", v.digest);
  field("size_bytes", v.size_bytes), field("erased_at", v.erased_at), field("overridden", v.overridden);
  field("draft", v.draft);
  field("base_fingerprint", v.base_fingerprint), field("parent", v.parent);
  field("seed", v.seed), field("settings", v.settings), field("metrics", v.metrics), field("photos", v.photos);
  field("job", v.job), field("created_at", v.created_at);
}

CONCEPTD_WIRE(ConceptSummary) {
  field("name", v.name), field("class", v.class_word), field("status", v.status), field("photos", v.photos);
  field("live_version", v.live_version), field("pinned_version", v.pinned_version),
      field("newest_version", v.newest_version), field("method", v.method);
  field("size_bytes", v.size_bytes), field("learned_at", v.learned_at), field("active_job", v.active_job);
  field("created_at", v.created_at);
}

CONCEPTD_WIRE(ConceptDetail) {
  field("concept", v.summary), field("created_by", v.created_by), field("photos", v.photos), field("live", v.live);
  field("last_job", v.last_job), field("problem", v.problem);
}

CONCEPTD_WIRE(ConceptList) { field("concepts", v.concepts), field("state", v.state); }
CONCEPTD_WIRE(History) { field("name", v.name), field("versions", v.versions); }
CONCEPTD_WIRE(Queued) {
  field("concept", v.summary), field("job", v.job), field("draft", v.draft), field("warnings", v.warnings);
}

CONCEPTD_WIRE(Plan) {
  field("name", v.name), field("class", v.class_word), field("method", v.method), field("steps", v.steps);
  field("seed", v.seed), field("settings", v.settings), field("photos", v.photos);
  field("typical_seconds", v.typical_seconds), field("draft", v.draft);
}

CONCEPTD_WIRE(Planned) { field("plan", v.plan), field("warnings", v.warnings); }

CONCEPTD_WIRE(LearnAgain) {
  field("method", v.method, kWord), field("steps", v.steps, {.min = 1, .max = kLearnStepsMax});
  field("seed", v.seed, kSeed), field("settings", v.settings, {.max = kSettingsMax}), field("now", v.now);
  field("deadline_s", v.deadline_s, kDeadline);
}

CONCEPTD_WIRE(RollBack) {
  field("to", v.to, {.min = 1, .max = 1e9}), field("reason", v.reason, kReason), field("pin", v.pin);
}

CONCEPTD_WIRE(RolledBack) {
  field("name", v.name), field("from", v.from), field("to", v.to), field("state", v.state), field("pinned", v.pinned);
}

CONCEPTD_WIRE(PinConcept) { field("version", v.version, kWord), field("reason", v.reason, kReason); }
CONCEPTD_WIRE(Pinned) {
  field("name", v.name), field("version", v.version), field("pinned", v.pinned), field("reason", v.reason);
}

CONCEPTD_WIRE(Promote) {
  field("version", v.version, kWord), field("override_gate", v.override_gate), field("reason", v.reason, kReason);
}

CONCEPTD_WIRE(RollBackState) { field("reason", v.reason, kReason), field("pin", v.pin); }
CONCEPTD_WIRE(StateRolledBack) {
  field("from", v.from), field("like", v.like), field("state", v.state), field("concepts", v.concepts);
  field("pinned", v.pinned);
}

CONCEPTD_WIRE(SetAlias) { field("alias", v.alias, kWord), field("version", v.version, kWord); }
CONCEPTD_WIRE(AliasInfo) {
  field("alias", v.alias), field("version", v.version), field("set_by", v.set_by), field("created_at", v.created_at);
}
CONCEPTD_WIRE(AliasList) { field("name", v.name), field("aliases", v.aliases); }
CONCEPTD_WIRE(ChangeInfo) { field("field", v.field), field("from", v.from), field("to", v.to); }
CONCEPTD_WIRE(Difference) { field("from", v.from), field("to", v.to), field("changes", v.changes); }
CONCEPTD_WIRE(ForReason) { field("reason", v.reason, kReason); }
CONCEPTD_WIRE(Moved) { field("name", v.name), field("state", v.state), field("version", v.version); }

CONCEPTD_WIRE(CollectGarbage) {
  field("dry_run", v.dry_run), field("keep_states", v.keep_states, {.min = 1, .max = kKeepStatesMax});
  field("older_than_s", v.older_than_s, {.min = 0, .max = static_cast<double>(kAgeMax_s)});
}

CONCEPTD_WIRE(ErasedInfo) { field("name", v.name), field("version", v.version), field("size_bytes", v.size_bytes); }
CONCEPTD_WIRE(Collected) {
  field("dry_run", v.dry_run), field("versions", v.versions), field("concepts", v.concepts);
  field("previews", v.previews), field("photos", v.photos), field("stray_files", v.stray_files);
  field("bytes", v.bytes), field("keep_states", v.keep_states), field("older_than_s", v.older_than_s);
}

CONCEPTD_WIRE(Verify) { field("deep", v.deep); }
CONCEPTD_WIRE(Verified) {
  field("deep", v.deep), field("faults", v.faults), field("versions", v.versions), field("photos", v.photos);
  field("states", v.states), field("seconds", v.seconds);
}

CONCEPTD_WIRE(AuditEntry) {
  field("id", v.id), field("at", v.at), field("actor", v.actor), field("action", v.action);
  field("subject", v.subject), field("detail", v.detail), field("hash", v.hash);
}
CONCEPTD_WIRE(AuditList) { field("rows", v.rows), field("chain_holds", v.chain_holds), field("fault", v.fault); }

CONCEPTD_WIRE(BackUp) { field("name", v.name, kName); }
CONCEPTD_WIRE(BackedUp) {
  field("folder", v.folder), field("state", v.state), field("database", v.database);
  field("database_bytes", v.database_bytes), field("versions", v.versions), field("photos", v.photos);
  field("missing", v.missing);
}

CONCEPTD_WIRE(ExportPack) { field("concepts", v.concepts, {.max = kPackVersionsMax}); }
CONCEPTD_WIRE(ExportedPack) { field("digest", v.digest), field("pack", v.pack); }

CONCEPTD_WIRE(ImportPack) {
  field("pack", v.pack, {.max = kPackBytesMax}), field("trust", v.trust, {.min = 1, .max = 64});
  field("as", v.as, kName);
}

CONCEPTD_WIRE(ImportedVersion) {
  field("name", v.name), field("version", v.version), field("class", v.class_word);
  field("origin_name", v.origin_name), field("origin_version", v.origin_version), field("method", v.method);
  field("verdict", v.verdict), field("digest", v.digest), field("size_bytes", v.size_bytes);
}

CONCEPTD_WIRE(ImportedPack) {
  field("digest", v.digest), field("signer", v.signer), field("versions", v.versions), field("warnings", v.warnings);
}

CONCEPTD_WIRE(GenerateRequest) {
  field("prompt", v.prompt, {.min = 1, .max = kPromptBytesMax});
  field("negative_prompt", v.negative_prompt, {.max = kPromptBytesMax}), field("seed", v.seed, kSeed);
  field("steps", v.steps, {.min = 1, .max = kStepsMax}), field("guidance", v.guidance, {.min = 0, .max = kGuidanceMax});
  field("count", v.count, {.min = 1, .max = kCountMax}), field("sampler", v.sampler, kWord);
  field("width", v.width, kSide), field("height", v.height, kSide);
  field("gate_bias", v.gate_bias, {.min = -10, .max = 10});
  field("gate_temperature", v.gate_temperature, {.min = 0.001, .max = 10});
  field("key_lock", v.key_lock, kWord), field("concept_attention", v.concept_attention, kWord);
  field("consolidated", v.consolidated);
}

CONCEPTD_WIRE(UsedConcept) {
  field("name", v.name), field("version", v.version), field("digest", v.digest), field("method", v.method);
}

CONCEPTD_WIRE(GeneratedImage) { field("seed", v.seed), field("png", v.png); }

CONCEPTD_WIRE(GenerateResponse) {
  field("images", v.images), field("prompt", v.prompt), field("state", v.state), field("concepts", v.concepts);
  field("base", v.base), field("base_fingerprint", v.base_fingerprint), field("sampler", v.sampler);
  field("steps", v.steps), field("guidance", v.guidance), field("width", v.width), field("height", v.height);
  field("warnings", v.warnings), field("seconds", v.seconds), field("queued_s", v.queued_s);
  field("consolidated", v.consolidated);
}

CONCEPTD_WIRE(Provenance) {
  field("release", v.release), field("prompt", v.prompt), field("negative_prompt", v.negative_prompt);
  field("seed", v.seed), field("sampler", v.sampler), field("steps", v.steps), field("guidance", v.guidance);
  field("width", v.width), field("height", v.height), field("state", v.state), field("concepts", v.concepts);
  field("base", v.base), field("base_fingerprint", v.base_fingerprint), field("gate_bias", v.gate_bias);
  field("gate_temperature", v.gate_temperature), field("key_lock", v.key_lock);
  field("concept_attention", v.concept_attention), field("consolidated", v.consolidated);
}

CONCEPTD_WIRE(BaseInfo) {
  field("name", v.name), field("folder", v.folder), field("fingerprint", v.fingerprint), field("width", v.width);
  field("height", v.height);
}

CONCEPTD_WIRE(StateInfo) {
  field("id", v.id), field("concepts", v.concepts), field("reason", v.reason), field("created_at", v.created_at);
}

CONCEPTD_WIRE(CountsInfo) {
  field("concepts", v.concepts), field("photos", v.photos), field("photo_bytes", v.photo_bytes);
  field("versions", v.versions), field("delta_bytes", v.delta_bytes), field("states", v.states);
  field("jobs_queued", v.jobs_queued), field("jobs_running", v.jobs_running), field("jobs_done", v.jobs_done);
  field("jobs_failed", v.jobs_failed), field("database_bytes", v.database_bytes);
}

CONCEPTD_WIRE(QueueInfo) {
  field("running", v.running), field("waiting", v.waiting), field("limit", v.limit), field("pictures", v.pictures);
}

CONCEPTD_WIRE(MachineInfo) {
  field("cpus", v.cpus), field("threads", v.threads), field("learn_threads", v.learn_threads), field("dtype", v.dtype);
  field("blas", v.blas), field("capability", v.capability);
}

CONCEPTD_WIRE(PauseInfo) {
  field("since", v.since), field("until", v.until), field("by", v.by), field("reason", v.reason);
}

CONCEPTD_WIRE(PauseRequest) {
  field("for_s", v.for_s, {.min = 1, .max = kPauseSecondsMax}), field("reason", v.reason, {.max = kReasonBytesMax});
}

CONCEPTD_WIRE(PauseAnswer) { field("paused", v.paused); }

CONCEPTD_WIRE(MethodInfo) {
  field("name", v.name), field("default", v.is_default), field("typical_seconds", v.typical_seconds);
}

CONCEPTD_WIRE(WindowInfo) {
  field("zone", v.zone), field("open", v.open), field("begins_at", v.begins_at), field("ends_at", v.ends_at);
  field("learning_waits_for_it", v.learning_waits_for_it);
}

CONCEPTD_WIRE(NightStepInfo) {
  field("name", v.name), field("state", v.state), field("seconds", v.seconds), field("message", v.message);
  field("detail", v.detail);
}

CONCEPTD_WIRE(NightInfo) {
  field("id", v.id), field("date", v.date), field("cause", v.cause), field("actor", v.actor), field("state", v.state);
  field("reason", v.reason), field("began_at", v.began_at), field("until", v.until), field("ended_at", v.ended_at);
  field("state_before", v.state_before), field("state_after", v.state_after), field("steps", v.steps);
}

CONCEPTD_WIRE(HoldNight) { field("until", v.until, {.min = 5, .max = 5}); }
CONCEPTD_WIRE(NightAnswer) { field("night", v.night), field("joined", v.joined); }
CONCEPTD_WIRE(NightList) { field("nights", v.nights); }

CONCEPTD_WIRE(EvaluateConcept) {
  field("version", v.version, kName), field("prompts", v.prompts, {.max = kEvaluatedPromptsMax});
  field("seeds", v.seeds, {.min = 1, .max = kEvaluatedSeedsMax}), field("words", v.words, {.max = kPromptBytesMax});
}

CONCEPTD_WIRE(EvaluatedWay) {
  field("way", v.way), field("likeness", v.likeness), field("fit", v.fit), field("diversity", v.diversity);
  field("copy_distance", v.copy_distance), field("wasserstein", v.wasserstein);
}

CONCEPTD_WIRE(EvaluationMeasures) {
  field("prompts", v.prompts), field("ways", v.ways), field("unnamed_divergence", v.unnamed_divergence);
  field("seconds", v.seconds);
}

CONCEPTD_WIRE(EvaluationInfo) {
  field("id", v.id), field("name", v.name), field("version", v.version), field("class", v.class_word);
  field("seeds", v.seeds), field("words", v.words), field("actor", v.actor), field("state", v.state);
  field("done", v.done), field("eta_s", v.eta_s), field("error", v.error), field("measures", v.measures);
}

CONCEPTD_WIRE(EvaluationAnswer) { field("evaluation", v.evaluation); }

CONCEPTD_WIRE(Status) {
  field("release", v.release), field("started_at", v.started_at), field("uptime_s", v.uptime_s), field("pid", v.pid);
  field("socket", v.socket), field("data_dir", v.data_dir), field("disk_free_bytes", v.disk_free_bytes);
  field("base", v.base), field("state", v.state), field("counts", v.counts), field("queue", v.queue);
  field("running_job", v.running_job), field("paused", v.paused), field("window", v.window), field("night", v.night);
  field("machine", v.machine), field("methods", v.methods);
  field("samplers", v.samplers), field("warnings", v.warnings);
}

CONCEPTD_WIRE(CreateToken) {
  field("name", v.name, kName), field("role", v.role, kWord);
  field("lifetime_s", v.lifetime_s, {.min = 0, .max = static_cast<double>(kTokenLifetimeMax_s)});
}

CONCEPTD_WIRE(RevokeToken) { field("reason", v.reason, {.max = kReasonBytesMax}); }

CONCEPTD_WIRE(TokenInfo) {
  field("id", v.id), field("name", v.name), field("role", v.role), field("state", v.state);
  field("created_by", v.created_by), field("created_at", v.created_at), field("expires_at", v.expires_at);
  field("last_used_at", v.last_used_at), field("revoked_at", v.revoked_at);
}

CONCEPTD_WIRE(TokenAnswer) { field("token", v.token); }
CONCEPTD_WIRE(TokenCreated) { field("token", v.token), field("secret", v.secret); }
CONCEPTD_WIRE(TokenList) { field("tokens", v.tokens); }

CONCEPTD_WIRE(CheckInfo) { field("name", v.name), field("ok", v.ok), field("message", v.message); }
CONCEPTD_WIRE(Readiness) { field("ready", v.ready), field("checks", v.checks); }
CONCEPTD_WIRE(Health) { field("status", v.status); }

namespace {

template <typename T>
T decode(const Json& json, bool strict) {
  T value;
  FieldReader reader(json, "", strict);
  fields(reader, value);
  reader.end();
  return value;
}

}  // namespace

template <typename T>
Json encode(const T& value) {
  return FieldWriter::to_json(value);
}

template <typename T>
T decode_request(const Json& json) {
  return decode<T>(json, true);
}

template <typename T>
T decode_answer(const Json& json) {
  return decode<T>(json, false);
}

Json encode_error(const ErrorBody& body) { return {{"error", encode(body)}}; }

ErrorBody decode_error(const Json& json) {
  if (json.is_object() && json.contains("error")) return decode_answer<ErrorBody>(json["error"]);
  throw Error(Code::internal, "the daemon answered with something that is not its error format");
}

#define CONCEPTD_REQUEST(Type)       \
  template Json encode(const Type&); \
  template Type decode_request(const Json&);
#define CONCEPTD_ANSWER(Type)        \
  template Json encode(const Type&); \
  template Type decode_answer(const Json&);

CONCEPTD_REQUEST(AddConcept)
CONCEPTD_REQUEST(LearnAgain)
CONCEPTD_REQUEST(RollBack)
CONCEPTD_REQUEST(GenerateRequest)
CONCEPTD_REQUEST(PauseRequest)
CONCEPTD_REQUEST(HoldNight)
CONCEPTD_ANSWER(NightInfo)
CONCEPTD_ANSWER(NightAnswer)
CONCEPTD_ANSWER(NightList)
CONCEPTD_REQUEST(EvaluateConcept)
CONCEPTD_ANSWER(EvaluationMeasures)
CONCEPTD_ANSWER(EvaluationInfo)
CONCEPTD_ANSWER(EvaluationAnswer)
CONCEPTD_REQUEST(CreateToken)
CONCEPTD_REQUEST(RevokeToken)
CONCEPTD_ANSWER(ErrorBody)
CONCEPTD_ANSWER(JobInfo)
CONCEPTD_ANSWER(JobAnswer)
CONCEPTD_ANSWER(JobList)
CONCEPTD_ANSWER(VersionInfo)
CONCEPTD_ANSWER(ConceptSummary)
CONCEPTD_ANSWER(ConceptDetail)
CONCEPTD_ANSWER(ConceptList)
CONCEPTD_ANSWER(History)
CONCEPTD_ANSWER(Queued)
CONCEPTD_ANSWER(Planned)
CONCEPTD_ANSWER(RolledBack)
CONCEPTD_REQUEST(PinConcept)
CONCEPTD_ANSWER(Pinned)
CONCEPTD_REQUEST(Promote)
CONCEPTD_REQUEST(RollBackState)
CONCEPTD_ANSWER(StateRolledBack)
CONCEPTD_REQUEST(SetAlias)
CONCEPTD_ANSWER(AliasInfo)
CONCEPTD_ANSWER(AliasList)
CONCEPTD_ANSWER(Difference)
CONCEPTD_REQUEST(ForReason)
CONCEPTD_ANSWER(Moved)
CONCEPTD_REQUEST(CollectGarbage)
CONCEPTD_ANSWER(Collected)
CONCEPTD_REQUEST(Verify)
CONCEPTD_ANSWER(Verified)
CONCEPTD_ANSWER(AuditList)
CONCEPTD_REQUEST(BackUp)
CONCEPTD_ANSWER(BackedUp)
CONCEPTD_REQUEST(ExportPack)
CONCEPTD_ANSWER(ExportedPack)
CONCEPTD_REQUEST(ImportPack)
CONCEPTD_ANSWER(ImportedPack)
CONCEPTD_ANSWER(GenerateResponse)
CONCEPTD_ANSWER(Provenance)
CONCEPTD_ANSWER(PauseAnswer)
CONCEPTD_ANSWER(Status)
CONCEPTD_ANSWER(TokenAnswer)
CONCEPTD_ANSWER(TokenCreated)
CONCEPTD_ANSWER(TokenList)
CONCEPTD_ANSWER(Readiness)
CONCEPTD_ANSWER(Health)

}  // namespace conceptd::api
