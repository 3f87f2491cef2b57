// Concept packs: versions that leave, and those that come, for a site that no network reaches.
#include <set>

#include "core/log.h"
#include "core/pack/pack.h"
#include "daemon/api/packs.h"
#include "daemon/api/wire.h"
#include "daemon/photo_checks.h"
#include "daemon/routes.h"
#include "registry/exchange.h"

namespace conceptd::daemon {
namespace {

using registry::ConceptName;

static_assert(pack::kPackBytesMax <= api::kPackBytesMax && pack::kVersionsMax == api::kPackVersionsMax);

ConceptName name_in(const std::string& text, const std::string& field) {
  try {
    return ConceptName::parse(text);
  } catch (const Error& error) {
    throw Error(error.code(), error.what(), field);
  }
}

// "kettle-7", which is the live version, or "kettle-7@VERSION".
registry::VersionName wanted_version(const std::string& text) {
  const std::size_t at = text.find('@');
  return {.name = name_in(text.substr(0, at), "concepts"),
          .version = at == std::string::npos ? "live" : text.substr(at + 1)};
}

pack::PackedVersion packed(registry::ExportedVersion exported, TimePoint now) {
  registry::Version& version = exported.version;
  return {.name = version.name,
          .number = version.number,
          .class_word = exported.class_word,
          .method = version.method,
          .base_fingerprint = version.base_fingerprint,
          .seed = version.seed,
          .settings = std::move(version.settings),
          .metrics = std::move(version.metrics),
          .verdict = std::string(to_string(version.verdict)),
          .verdict_reason = version.verdict_reason,
          .photos = std::move(version.photos),
          .learned_at = to_iso8601(version.created_at),
          .exported_at = to_iso8601(now),
          .release = CONCEPTD_VERSION,
          .origin = std::move(version.origin),
          .delta = std::move(exported.delta)};
}

// Where it was learnt first, whatever way it came.
Json origin_of(const pack::PackedVersion& version) {
  if (!version.origin.is_null()) return version.origin;
  return {{"name", version.name},
          {"version", version.number},
          {"learned_at", version.learned_at},
          {"exported_at", version.exported_at},
          {"release", version.release}};
}

std::string named(const pack::PackedVersion& version) { return version.name + "@" + std::to_string(version.number); }

// What the daemon could not serve is not stored.
void check_usable(const Services& services, const pack::PackedVersion& version) {
  const ModelFacts& base = services.model.facts();
  if (version.base_fingerprint != base.fingerprint)
    throw Error(Code::conflict,
                named(version) + " was learnt on a base with the fingerprint " +
                    version.base_fingerprint.substr(0, 12) + ", and this daemon has " + base.name + " (" +
                    base.fingerprint.substr(0, 12) + "); a delta fits its own base only",
                "pack");
  try {
    services.model.load(version.delta, named(version));
  } catch (const Error& error) {
    throw Error(Code::invalid, std::string("the pack is refused: ") + error.what(), "pack");
  }
}

registry::ImportedVersion imported(pack::PackedVersion version, const ConceptName& name) {
  return {.version = {.name = name,
                      .method = version.method,
                      .base_fingerprint = version.base_fingerprint,
                      .delta = std::move(version.delta),
                      .parent = {},
                      .seed = version.seed,
                      .settings = version.settings,
                      .metrics = version.metrics,
                      .verdict = registry::verdict_from_string(version.verdict),
                      .verdict_reason = version.verdict_reason},
          .class_word = version.class_word,
          .photos = version.photos,
          .origin = origin_of(version)};
}

void check_one_concept(const std::vector<pack::PackedVersion>& versions) {
  std::set<std::string> names;
  for (const pack::PackedVersion& version : versions) names.insert(version.name);
  if (names.size() > 1)
    throw Error(Code::invalid,
                "the pack holds " + std::to_string(names.size()) +
                    " concepts, and one name is for one of them; import "
                    "it without another name",
                "as");
}

std::vector<std::string> warnings_about_names(const Services& services, const registry::ImportRequest& importing) {
  std::vector<std::string> warnings;
  const std::vector<std::string> known = services.registry.names();
  std::set<std::string> said;
  for (const registry::ImportedVersion& item : importing.versions) {
    const std::string& name = item.version.name.str();
    if (const std::string other = look_alike(name, known); !other.empty() && said.insert(name).second)
      warnings.push_back("'" + name + "' is easily taken for '" + other + "', which is there already");
    if (item.version.verdict == registry::Verdict::rejected)
      warnings.push_back("a version of '" + name +
                         "' was rejected where it was learnt: " + item.version.verdict_reason);
  }
  return warnings;
}

}  // namespace

HttpResponse export_pack(const Services& services, const HttpRequest& request) {
  const auto wanted = api::decode_request<api::ExportPack>(body_of(request));
  std::vector<registry::VersionName> names;
  for (const std::string& text : wanted.concepts) names.push_back(wanted_version(text));
  std::vector<pack::PackedVersion> versions;
  for (registry::ExportedVersion& exported : services.registry.export_versions(names, request.actor))
    versions.push_back(packed(std::move(exported), services.clock.now()));
  std::string bytes = pack::write_pack(versions);
  const Digest index = pack::inspect_pack(bytes).index;  // what this cannot read nobody else could
  spdlog::info("{} exported {} versions as pack {}", request.actor, versions.size(), index.short_hex());
  return json_response(api::encode(api::ExportedPack{.digest = index.tagged(), .pack = {std::move(bytes)}}));
}

HttpResponse import_pack(const Services& services, const HttpRequest& request) {
  const auto wanted = api::decode_request<api::ImportPack>(body_of(request));
  const auto trusted = pack::PublicKey::parse(wanted.trust, "trust");
  pack::OpenedPack opened = pack::read_pack(wanted.pack.data, trusted);
  if (wanted.as) check_one_concept(opened.versions);
  registry::ImportRequest importing{
      .versions = {}, .pack = opened.index, .signer = trusted.hex(), .actor = request.actor};
  api::ImportedPack answer{.digest = opened.index.tagged(), .signer = trusted.hex()};
  for (pack::PackedVersion& version : opened.versions) {
    check_usable(services, version);
    answer.versions.push_back({.origin_name = version.name, .origin_version = version.number});
    const ConceptName name = wanted.as ? name_in(*wanted.as, "as") : name_in(version.name, "pack");
    importing.versions.push_back(imported(std::move(version), name));
  }
  answer.warnings = warnings_about_names(services, importing);
  const std::vector<registry::Version> versions = services.registry.import_versions(importing);
  for (std::size_t i = 0; i < versions.size(); ++i) {
    api::ImportedVersion& item = answer.versions[i];
    item.name = versions[i].name, item.version = versions[i].number, item.method = versions[i].method;
    item.class_word = importing.versions[i].class_word, item.verdict = to_string(versions[i].verdict);
    item.digest = versions[i].delta.tagged(), item.size_bytes = versions[i].delta_bytes;
  }
  spdlog::info("{} imported {} versions of pack {}", request.actor, versions.size(), opened.index.short_hex());
  return json_response(api::encode(answer), 201);
}

}  // namespace conceptd::daemon
