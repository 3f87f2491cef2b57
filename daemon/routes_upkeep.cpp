// What keeps a registry well: gc, verify, audit, backup. Each may take minutes, on a thread of its own request.
#include <algorithm>

#include "core/file_io.h"
#include "core/log.h"
#include "daemon/api/wire.h"
#include "daemon/routes.h"

namespace conceptd::daemon {
namespace {

constexpr int kAuditRowsMax = 10'000;

// "20261122t130501z"
std::string name_of_now(const Clock& clock) {
  std::string name;
  for (const char c : to_iso8601(clock.now()).substr(0, 19))
    if (c != '-' && c != ':') name += c == 'T' ? 't' : c;
  return name + "z";
}

// A name and never a path: the daemon writes into its own folder only, whoever asks.
void check_backup_name(const std::string& name) {
  if (registry::ConceptName::is_valid(name) && name.find(kTemporarySuffix) == std::string::npos) return;
  throw Error(Code::invalid,
              "a backup is named as a concept is (a-z 0-9 . _ -, no path, not *.tmp); it becomes a folder below the "
              "daemon's backups",
              "name");
}

}  // namespace

HttpResponse collect_garbage(const Services& services, const HttpRequest& request) {
  const auto wanted = api::decode_request<api::CollectGarbage>(body_of(request));
  registry::GcPolicy policy{.dry_run = wanted.dry_run.value_or(false)};
  if (wanted.keep_states) policy.keep_states = *wanted.keep_states;
  if (wanted.older_than_s) policy.older_than = std::chrono::seconds(*wanted.older_than_s);
  const registry::GcReport report = services.registry.gc(policy, request.actor);
  api::Collected answer{.dry_run = policy.dry_run,
                        .concepts = report.concepts,
                        .previews = report.previews,
                        .photos = report.photos,
                        .stray_files = report.stray_files,
                        .bytes = report.bytes,
                        .keep_states = policy.keep_states,
                        .older_than_s = policy.older_than.count() / 1000};
  for (const registry::ErasedVersion& version : report.versions)
    answer.versions.push_back({.name = version.name, .version = version.number, .size_bytes = version.bytes});
  if (!policy.dry_run)
    spdlog::info("gc erased {} versions and {} photos, {} bytes", report.versions.size(), report.photos, report.bytes);
  return json_response(api::encode(answer));
}

HttpResponse verify(const Services& services, const HttpRequest& request) {
  const auto wanted = api::decode_request<api::Verify>(body_of(request));
  const bool deep = wanted.deep.value_or(false);
  const auto began = std::chrono::steady_clock::now();
  using Depth = registry::Registry::Depth;
  api::Verified answer{.deep = deep, .faults = services.registry.verify(deep ? Depth::deep : Depth::quick)};
  const registry::Counts counts = services.registry.counts();
  answer.versions = counts.versions;
  answer.photos = counts.photos;
  answer.states = counts.states;
  answer.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  for (const std::string& fault : answer.faults) spdlog::error("verify: {}", fault);
  return json_response(api::encode(answer));
}

HttpResponse list_audit(const Services& services, const HttpRequest& request) {
  std::optional<std::string> subject;
  int limit = 100;
  bool chain = false;
  for (const auto& [key, value] : request.query) {
    if (key == "subject")
      subject = value;
    else if (key == "limit")
      limit = static_cast<int>(std::min<std::int64_t>(number_of(value, "limit"), kAuditRowsMax));
    else if (key == "verify_chain" && (value == "true" || value == "false"))
      chain = value == "true";
    else
      throw Error(Code::invalid, "the audit takes subject, limit and verify_chain (true or false), not '" + key + "'",
                  key);
  }
  api::AuditList list;
  for (const registry::AuditRow& row : services.registry.audit(subject, limit))
    list.rows.push_back({.id = row.id,
                         .at = to_iso8601(row.at),
                         .actor = row.actor,
                         .action = row.action,
                         .subject = row.subject,
                         .detail = row.detail,
                         .hash = row.hash.tagged()});
  if (chain) {
    list.fault = services.registry.verify_audit_chain();
    list.chain_holds = !list.fault.has_value();
  }
  return json_response(api::encode(list));
}

HttpResponse back_up(const Services& services, const HttpRequest& request) {
  const auto wanted = api::decode_request<api::BackUp>(body_of(request));
  const std::string name = wanted.name.value_or(name_of_now(services.clock));
  check_backup_name(name);
  const registry::BackupReport report =
      services.registry.back_up(services.registry.root() / "backups" / name, request.actor);
  for (const std::string& digest : report.missing)
    spdlog::error("backup {}: photo {} is missing or damaged", name, digest);
  return json_response(api::encode(api::BackedUp{.folder = report.folder.string(),
                                                 .state = report.head,
                                                 .database = report.database.tagged(),
                                                 .database_bytes = report.database_bytes,
                                                 .versions = report.versions,
                                                 .photos = report.photos,
                                                 .missing = report.missing}),
                       201);
}

}  // namespace conceptd::daemon
