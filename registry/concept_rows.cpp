// Concepts and their photos, read.
#include "core/error.h"
#include "registry/rows.h"

namespace conceptd::registry {
namespace {

constexpr std::string_view kSelect =
    "SELECT c.id, c.name, c.class_word, c.created_by, c.created_at, c.removed_at, c.newest_version,"
    "  (SELECT e.version FROM state_entry e WHERE e.state = (SELECT state FROM head) AND e.concept = c.id),"
    "  (SELECT max(j.id) FROM job j WHERE j.concept = c.id AND j.state IN ('queued', 'running')),"
    "  p.version, p.reason, p.actor, p.created_at, EXISTS (SELECT 1 FROM import i WHERE i.concept = c.id)"
    " FROM concept c LEFT JOIN pin p ON p.concept = c.id ";

ConceptRow read_row(const Statement& row) {
  ConceptRow found;
  found.id = row.integer(0);
  found.record = {.name = row.text(1),
                  .class_word = row.text(2),
                  .photos = {},
                  .created_by = row.text(3),
                  .created_at = row.time(4),
                  .removed_at = row.maybe(5, &Statement::time),
                  .live_version = row.maybe(7, &Statement::number),
                  .newest_version = row.number(6),
                  .active_job = row.maybe(8, &Statement::integer),
                  .pin = {},
                  .imported = row.integer(13) != 0};
  if (!row.is_null(9))
    found.record.pin =
        Pin{.version = row.number(9), .reason = row.text(10), .actor = row.text(11), .created_at = row.time(12)};
  return found;
}

std::vector<Photo> read_photos(Transaction& tx, std::int64_t concept_id) {
  std::vector<Photo> photos;
  Statement row = tx.query(
      "SELECT p.digest, p.media_type, cp.original_name, cp.caption, p.size_bytes, p.width, p.height"
      " FROM concept_photo cp JOIN photo p ON p.digest = cp.photo WHERE cp.concept = ? ORDER BY cp.position",
      concept_id);
  while (row.step())
    photos.push_back({.digest = row.digest(0),
                      .media_type = row.text(1),
                      .original_name = row.text(2),
                      .caption = row.text(3),
                      .size_bytes = row.integer(4),
                      .width = row.number(5),
                      .height = row.number(6)});
  return photos;
}

}  // namespace

std::vector<std::string> concept_names(Transaction& tx) {
  std::vector<std::string> names;
  Statement row = tx.query("SELECT name FROM concept WHERE removed_at IS NULL ORDER BY name");
  while (row.step()) names.push_back(row.text(0));
  return names;
}

std::optional<ConceptRow> find_concept(Transaction& tx, std::string_view name) {
  Statement row = tx.query(std::string(kSelect) + "WHERE c.name = ?", name);
  if (!row.step()) return std::nullopt;
  ConceptRow found = read_row(row);
  found.record.photos = read_photos(tx, found.id);
  return found;
}

ConceptRow require_concept(Transaction& tx, std::string_view name, bool even_if_removed) {
  std::optional<ConceptRow> found = find_concept(tx, name);
  if (!found) throw Error(Code::not_found, unknown_concept_message(name, concept_names(tx)), "name");
  if (found->record.removed_at && !even_if_removed)
    throw Error(Code::not_found,
                std::string(name) + " was removed at " + to_iso8601(*found->record.removed_at) +
                    "; bring it back (conceptctl undelete " + std::string(name) + "), or add it again",
                "name");
  return *std::move(found);
}

std::vector<ConceptRow> read_concepts(Transaction& tx, bool with_removed) {
  std::vector<ConceptRow> concepts;
  Statement row = tx.query(std::string(kSelect) +
                           (with_removed ? "ORDER BY c.name" : "WHERE c.removed_at IS NULL ORDER BY c.name"));
  while (row.step()) concepts.push_back(read_row(row));
  for (ConceptRow& found : concepts) found.record.photos = read_photos(tx, found.id);
  return concepts;
}

}  // namespace conceptd::registry
