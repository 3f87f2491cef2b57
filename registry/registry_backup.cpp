// Registry: a copy of everything, checked whole before it gets its name.
#include <set>

#include "core/log.h"
#include "registry/blob_store.h"
#include "registry/registry.h"
#include "registry/restore.h"
#include "registry/rows.h"
#include "registry/sqlite.h"

namespace conceptd::registry {
namespace fs = std::filesystem;
namespace {

using Kind = Transaction::Kind;

struct Copied {
  std::shared_ptr<const State> head;
  std::vector<Digest> photos;
  int versions = 0;
};

// The copy by itself: every delta hashed, and what it publishes.
Copied inspect(const fs::path& file) {
  Database database(file);
  Transaction tx(database, Kind::read, "checking the backup " + file.string());
  Statement delta = tx.query("SELECT digest, bytes FROM delta WHERE length(bytes) > 0");
  while (delta.step())
    if (Digest::of(delta.blob(1)) != delta.digest(0))
      throw Error(Code::corrupt, "delta " + delta.digest(0).hex() +
                                     " is damaged, so this would be no backup; conceptctl verify --deep lists what is "
                                     "wrong, and an older backup may have it whole");
  Copied copied;
  copied.head = read_state(tx, head_id(tx));
  copied.versions = static_cast<int>(tx.value("SELECT count(*) FROM version"));
  Statement photo = tx.query("SELECT digest FROM photo ORDER BY digest");
  while (photo.step()) copied.photos.push_back(photo.digest(0));
  return copied;
}

int copy_photos(const BlobStore& source, const fs::path& folder, const std::vector<Digest>& photos,
                std::vector<std::string>& missing) {
  const BlobStore target(folder);
  std::set<fs::path> folders;
  int copied = 0;
  make_folder(folder);
  for (const Digest& digest : photos) {
    if (!source.verify(digest)) {
      missing.push_back(digest.hex());
      continue;
    }
    const fs::path path = target.path_of(digest);
    if (folders.insert(path.parent_path()).second) make_folder(path.parent_path());
    link_or_copy_file(source.path_of(digest), path);
    ++copied;
  }
  for (const fs::path& each : folders) sync_folder(each);
  return copied;
}

}  // namespace

BackupReport Registry::back_up(const fs::path& folder, const std::string& actor) {
  const std::unique_lock upkeep(upkeep_mutex_, std::try_to_lock);
  if (!upkeep) throw Error(Code::busy, "gc or another backup is running; try again when it is done");
  const fs::path whole = fs::absolute(folder);
  take_away_leftovers(whole);
  if (fs::exists(fs::symlink_status(whole)))
    throw Error(Code::conflict, whole.string() + " is there already; a backup never takes the place of anything",
                "name");
  const fs::path unfinished = whole.string() + std::string(kTemporarySuffix);
  remove_tree(unfinished);
  const TimePoint started = clock_.now();
  const std::int64_t head_before = head()->id;
  BackupReport report{.folder = whole};
  bool naming = false;
  try {
    make_folder(unfinished);
    const fs::path file = unfinished / "registry.db";
    back_up_database(*database_, file);
    const Copied copied = inspect(file);
    const std::shared_ptr<const State> same = state(copied.head->id);
    if (copied.head->id < head_before || copied.head->entries != same->entries)
      throw Error(Code::corrupt, "the backup does not publish what the registry does");
    report.head = copied.head->id;
    report.versions = copied.versions;
    report.photos = copy_photos(*photos_, unfinished / "photos", copied.photos, report.missing);
    report.database = Digest::of_file(file);
    report.database_bytes = static_cast<std::int64_t>(fs::file_size(file));
    write_backup_note(unfinished, {.head = report.head, .database = report.database, .created_at = started});
    naming = true;
    publish_file_durably(unfinished, whole);
    Transaction tx(*database_, Kind::immediate, "noting a backup");
    append_audit(tx, clock_.now(), actor, "backup", "state " + std::to_string(report.head),
                 {{"name", whole.filename().string()},
                  {"database", report.database.hex()},
                  {"photos", report.photos},
                  {"missing", report.missing.size()}});
    tx.commit();
  } catch (...) {
    std::error_code ignored;
    leftovers_.push_back(naming && !fs::exists(unfinished, ignored) ? whole : unfinished);
    take_away_leftovers({});
    throw;
  }
  return report;
}

void Registry::take_away_leftovers(const fs::path& wanted) {
  std::erase_if(leftovers_, [&](const fs::path& left) {
    try {
      remove_tree(left);
      return true;
    } catch (const Error& error) {  // before the next one, then; what a restart finds is either whole or swept
      if (left == wanted) throw;
      spdlog::warn("what a backup that failed has left: {}", error.what());
      return false;
    }
  });
}

bool Registry::remove_backup(const std::string& name, const std::string& actor) {
  if (!ConceptName::is_valid(name) || name.find(kTemporarySuffix) != std::string::npos)
    throw Error(Code::invalid, "'" + name.substr(0, 64) + "' is no name of a backup", "name");
  const std::unique_lock upkeep(upkeep_mutex_, std::try_to_lock);
  if (!upkeep) throw Error(Code::busy, "gc or a backup is running; try again when it is done");
  const fs::path folder = root_ / "backups" / name;
  if (!fs::is_directory(fs::symlink_status(folder))) return false;
  remove_tree(folder);  // what a crash leaves of it is swept at the next start
  Transaction tx(*database_, Kind::immediate, "noting that a backup was removed");
  append_audit(tx, clock_.now(), actor, "remove_backup", "backup " + name, Json::object());
  tx.commit();
  return true;
}

void Registry::note_restored(const std::string& actor, const std::string& from) {
  Transaction tx(*database_, Kind::immediate, "noting where this registry came from");
  append_audit(tx, clock_.now(), actor, "restore", "state " + std::to_string(head_id(tx)), {{"from", from}});
  tx.commit();
}

}  // namespace conceptd::registry
