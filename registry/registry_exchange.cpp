// Registry: versions that leave for another site, and those that come from one.
#include <set>

#include "registry/exchange.h"
#include "registry/rows.h"
#include "registry/sqlite.h"

namespace conceptd::registry {
namespace {

using Kind = Transaction::Kind;

std::string numbered(const std::string& name, int number) { return name + "@" + std::to_string(number); }

// The concept that an imported version joins: known and imported before, removed once, or new.
ConceptRow concept_for(Transaction& tx, const ImportedVersion& item, const std::string& actor, TimePoint now) {
  const std::string& name = item.version.name.str();
  const std::optional<ConceptRow> known = find_concept(tx, name);
  if (!known) {
    tx.run("INSERT INTO concept (name, class_word, created_by, created_at) VALUES (?, ?, ?, ?)", name, item.class_word,
           actor, now);
  } else if (known->record.removed_at) {
    tx.run("UPDATE concept SET class_word = ?, created_by = ?, created_at = ?, removed_at = NULL WHERE id = ?",
           item.class_word, actor, now, known->id);
    tx.run("DELETE FROM concept_photo WHERE concept = ?", known->id);
  } else if (!known->record.photos.empty()) {
    throw Error(Code::conflict,
                name + " is learnt here, from photos of its own; give what comes from elsewhere another name (--as)",
                "name");
  } else if (known->record.class_word != item.class_word) {
    throw Error(Code::conflict,
                name + " is a " + known->record.class_word + " here and a " + item.class_word +
                    " in the pack; give what comes from elsewhere another name (--as)",
                "name");
  } else {
    return *known;
  }
  return require_concept(tx, name);
}

void check_is_new(Transaction& tx, const ConceptRow& owner, const NewVersion& version) {
  const Digest delta = Digest::of(version.delta);
  for (const Version& other : read_versions(tx, owner.id))
    if (other.delta == delta && !other.erased_at)
      throw Error(Code::conflict,
                  numbered(owner.record.name, other.number) + " has the very same bytes; there is nothing to import",
                  "name");
}

Version import_one(Transaction& tx, const ImportRequest& request, const ImportedVersion& item, TimePoint now) {
  const ConceptRow owner = concept_for(tx, item, request.actor, now);
  check_is_new(tx, owner, item.version);
  const int number = insert_version(tx, owner, item.version, item.photos, std::nullopt, now).number;
  tx.run("INSERT INTO import (concept, version, pack, signer, origin, actor, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
         owner.id, number, request.pack, request.signer, item.origin, request.actor, now);
  Version imported = *find_version(tx, owner.id, number);
  Json detail = detail_of(imported);
  detail["pack"] = request.pack.hex();
  detail["signer"] = request.signer;
  detail["origin"] = item.origin;
  append_audit(tx, now, request.actor, "import", imported.name, detail);
  return imported;
}

}  // namespace

std::vector<ExportedVersion> Registry::export_versions(const std::vector<VersionName>& wanted,
                                                       const std::string& actor) {
  if (wanted.empty()) throw Error(Code::invalid, "name at least one concept to export", "concepts");
  Transaction tx(*database_, Kind::immediate, "exporting " + std::to_string(wanted.size()) + " versions");
  const TimePoint now = clock_.now();
  std::vector<ExportedVersion> exported;
  std::set<std::pair<std::int64_t, int>> seen;
  std::int64_t bytes = 0;
  for (const VersionName& item : wanted) {
    const ConceptRow owner = require_concept(tx, item.name.str());
    const Version version = require_version(tx, owner, resolve_version(tx, owner, item.version), true);
    if (!seen.emplace(owner.id, version.number).second)
      throw Error(Code::invalid, numbered(version.name, version.number) + " is named twice", "concepts");
    if ((bytes += version.delta_bytes) > kExportBytesMax)
      throw Error(Code::exhausted,
                  "these versions have more than " + std::to_string(kExportBytesMax) +
                      " bytes together; export fewer at a time",
                  "concepts");
    Statement row =
        tx.query("SELECT class_word FROM version WHERE concept = ? AND number = ?", owner.id, version.number);
    row.step();
    append_audit(tx, now, actor, "export", version.name,
                 {{"version", version.number}, {"delta", version.delta.hex()}, {"base", version.base_fingerprint}});
    exported.push_back({version, row.text(0), read_delta(tx, version.delta)});
  }
  tx.commit();
  return exported;
}

std::vector<Version> Registry::import_versions(const ImportRequest& request) {
  if (request.versions.empty()) throw Error(Code::invalid, "there is no version to import", "pack");
  for (const ImportedVersion& item : request.versions) {
    check_class_word(item.class_word);
    check_version(item.version, limits_);
  }
  Transaction tx(*database_, Kind::immediate,
                 "importing " + std::to_string(request.versions.size()) + " versions of a pack");
  const TimePoint now = clock_.now();
  std::vector<Version> imported;
  for (const ImportedVersion& item : request.versions) imported.push_back(import_one(tx, request, item, now));
  tx.commit();
  return imported;
}

}  // namespace conceptd::registry
