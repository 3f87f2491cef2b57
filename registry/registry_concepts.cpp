// Registry: concepts and their photos.
#include <algorithm>
#include <set>

#include "registry/blob_store.h"
#include "registry/registry.h"
#include "registry/rows.h"
#include "registry/sqlite.h"

namespace conceptd::registry {
namespace {

using Kind = Transaction::Kind;

// All that can be wrong with the request itself, before anything is written.
void check_request(const AddRequest& request, const RegistryLimits& limits) {
  check_class_word(request.class_word);
  if (request.photos.empty()) throw Error(Code::invalid, "a concept needs at least one photo", "photos");
  if (static_cast<int>(request.photos.size()) > limits.photos_max)
    throw Error(Code::exhausted,
                std::to_string(request.photos.size()) + " photos are too many; " + std::to_string(limits.photos_max) +
                    " is the limit",
                "photos");
  std::map<Digest, std::size_t> seen;
  for (std::size_t i = 0; i < request.photos.size(); ++i) {
    const NewPhoto& photo = request.photos[i];
    const std::string field = "photos[" + std::to_string(i) + "]";
    const std::string who = field + (photo.original_name.empty() ? "" : " (" + photo.original_name + ")");
    if (photo.bytes.empty()) throw Error(Code::invalid, who + " is empty", field);
    if (photo.bytes.size() > limits.photo_bytes_max)
      throw Error(Code::exhausted, who + " is larger than " + std::to_string(limits.photo_bytes_max) + " bytes", field);
    const auto [it, fresh] = seen.emplace(Digest::of(photo.bytes), i);
    if (!fresh)
      throw Error(Code::invalid, who + " is the same picture as photos[" + std::to_string(it->second) + "]", field);
  }
}

void check_name_is_free(const AddRequest& request, const std::optional<ConceptRow>& known) {
  if (!known || known->record.removed_at) return;
  throw Error(Code::conflict,
              request.name.str() + " exists already (class " + known->record.class_word + ", " +
                  std::to_string(known->record.photos.size()) + " photos); learn it again (conceptctl learn " +
                  request.name.str() + "), or choose another name",
              "name");
}

std::int64_t insert_concept(Transaction& tx, const AddRequest& request, TimePoint now) {
  const std::optional<ConceptRow> known = find_concept(tx, request.name.str());
  if (!known) {
    tx.run("INSERT INTO concept (name, class_word, created_by, created_at) VALUES (?, ?, ?, ?)", request.name.str(),
           request.class_word, request.actor, now);
    return tx.last_id();
  }
  check_name_is_free(request, known);
  tx.run("UPDATE concept SET class_word = ?, created_by = ?, created_at = ?, removed_at = NULL WHERE id = ?",
         request.class_word, request.actor, now, known->id);
  tx.run("DELETE FROM concept_photo WHERE concept = ?", known->id);
  return known->id;
}

}  // namespace

void check_class_word(const std::string& word) {
  const bool bad = std::any_of(word.begin(), word.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; });
  if (word.empty()) throw Error(Code::invalid, "a concept needs a class word (what kind of thing it is)", "class");
  if (word.size() > 64 || bad) throw Error(Code::invalid, "the class word must be one printable word", "class");
}

void Registry::check_add(const AddRequest& request) const {
  check_request(request, limits_);
  Transaction tx(*database_, Kind::read, "adding " + request.name.str());
  check_name_is_free(request, find_concept(tx, request.name.str()));
  check_queue(tx, limits_.jobs_queued_max);
}

Added Registry::add_concept(const AddRequest& request) {
  check_add(request);  // before any file is written; the transaction below asks again
  std::vector<Digest> digests;
  for (const NewPhoto& photo : request.photos) digests.push_back(photos_->put(photo.bytes));

  Transaction tx(*database_, Kind::immediate, "adding " + request.name.str());
  const TimePoint now = clock_.now();
  const std::int64_t id = insert_concept(tx, request, now);
  Json listed = Json::array();
  for (std::size_t i = 0; i < digests.size(); ++i) {
    const NewPhoto& photo = request.photos[i];
    if (!photos_->holds(digests[i])) photos_->put(photo.bytes);  // gc took the file since, as nothing named it yet
    tx.run("DELETE FROM erasure WHERE digest = ? AND kind = 'photo'", digests[i]);
    tx.run(
        "INSERT INTO photo (digest, media_type, size_bytes, width, height, created_at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (digest) DO NOTHING",
        digests[i], photo.media_type, photo.bytes.size(), photo.width, photo.height, now);
    tx.run("INSERT INTO concept_photo (concept, position, photo, original_name, caption) VALUES (?, ?, ?, ?, ?)", id, i,
           digests[i], photo.original_name, photo.caption);
    listed.push_back(digests[i].hex());
  }
  append_audit(tx, now, request.actor, "add", request.name.str(), {{"class", request.class_word}, {"photos", listed}});
  const NewJob job{.kind = JobKind::learn,
                   .name = request.name.str(),
                   .settings = request.settings,
                   .requested_by = request.actor,
                   .urgent = request.urgent,
                   .attempts_max = request.attempts_max,
                   .deadline = request.deadline};
  std::int64_t draft_id = 0;
  if (request.draft) {
    NewJob draft = job;
    draft.settings = *request.draft, draft.urgent = draft.draft = true, draft.attempts_max = 1;
    draft_id = insert_job(tx, draft, id, limits_.jobs_queued_max, now);
  }
  const std::int64_t job_id = insert_job(tx, job, id, limits_.jobs_queued_max, now);
  Added added{require_concept(tx, request.name.str()).record, read_job(tx, job_id)};
  if (request.draft) added.draft = read_job(tx, draft_id);
  tx.commit();
  return added;
}

std::vector<ConceptRecord> Registry::list(bool with_removed) const {
  Transaction tx(*database_, Kind::read, "listing concepts");
  std::vector<ConceptRecord> records;
  for (ConceptRow& row : read_concepts(tx, with_removed)) records.push_back(std::move(row.record));
  return records;
}

std::vector<std::string> Registry::names() const {
  Transaction tx(*database_, Kind::read, "listing names");
  return concept_names(tx);
}

ConceptRecord Registry::show(const ConceptName& name, bool even_if_removed) const {
  Transaction tx(*database_, Kind::read, "showing " + name.str());
  return require_concept(tx, name.str(), even_if_removed).record;
}

std::string Registry::photo(const Digest& digest) const { return photos_->open(digest, limits_.photo_bytes_max); }

std::filesystem::path Registry::photo_path(const Digest& digest) const { return photos_->path_of(digest); }

std::shared_ptr<const State> Registry::remove(const ConceptName& name, const std::string& actor,
                                              const std::string& reason) {
  Transaction tx(*database_, Kind::immediate, "removing " + name.str());
  const TimePoint now = clock_.now();
  const ConceptRow found = require_concept(tx, name.str());
  std::shared_ptr<const State> state = head_in(tx);
  const std::vector<std::int64_t> cancelled = cancel_jobs_of(tx, found.id, now);
  tx.run("UPDATE concept SET removed_at = ? WHERE id = ?", now, found.id);
  remove_pin(tx, found.id);
  const std::int64_t before = state->id;
  if (state->entries.contains(name.str()))
    state = insert_state_with(tx, *state, found, std::nullopt, actor, reason.empty() ? "removed " + name.str() : reason,
                              now);
  append_audit(tx, now, actor, "remove", name.str(),
               {{"reason", reason}, {"from", before}, {"to", state->id}, {"cancelled_jobs", cancelled}});
  commit_head(tx, state);
  return state;
}

std::shared_ptr<const State> Registry::undelete(const ConceptName& name, const std::string& actor,
                                                const std::string& reason) {
  Transaction tx(*database_, Kind::immediate, "undeleting " + name.str());
  const TimePoint now = clock_.now();
  const ConceptRow found = require_concept(tx, name.str(), true);
  if (!found.record.removed_at) throw Error(Code::conflict, name.str() + " is not removed", "name");
  if (found.record.photos.empty() && !found.record.imported)
    throw Error(Code::conflict,
                "the photos of " + name.str() + " were erased by gc; add it again with new ones (its numbers go on)",
                "name");
  std::shared_ptr<const State> state = head_in(tx);
  const std::int64_t before = state->id;
  tx.run("UPDATE concept SET removed_at = NULL WHERE id = ?", found.id);
  const auto last = static_cast<int>(
      tx.value("SELECT version FROM state_entry WHERE concept = ? ORDER BY state DESC LIMIT 1", found.id));
  const bool usable = last != 0 && !require_version(tx, found, last, false).erased_at;
  if (usable)
    state = insert_state_with(tx, *state, found, last, actor, reason.empty() ? "undeleted " + name.str() : reason, now);
  Json detail{{"reason", reason}, {"from", before}, {"to", state->id}};
  if (usable) detail["version"] = last;
  append_audit(tx, now, actor, "undelete", name.str(), detail);
  commit_head(tx, state);
  return state;
}

}  // namespace conceptd::registry
