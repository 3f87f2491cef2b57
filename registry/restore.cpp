#include "registry/restore.h"

#include "core/error.h"
#include "core/file_io.h"
#include "core/json.h"
#include "core/log.h"
#include "registry/blob_store.h"
#include "registry/registry.h"
#include "registry/sqlite.h"

namespace conceptd::registry {
namespace fs = std::filesystem;
namespace {

constexpr int kFormat = 1;
constexpr std::uint64_t kNoteBytesMax = 1 << 16;

void check_target(const fs::path& to) {
  if (!fs::exists(fs::symlink_status(to))) return;
  if (!fs::is_directory(to)) throw Error(Code::conflict, to.string() + " is there and is not a folder", "to");
  if (fs::exists(to / "lock")) FileLock(to / "lock");  // Error{busy} if a daemon lives there
  if (!fs::is_empty(to))
    throw Error(Code::conflict,
                to.string() + " holds something already; restore into a new folder, then let the daemon use that one",
                "to");
}

int copy_photos(const fs::path& from, const fs::path& to, std::vector<std::string>& missing) {
  Database database(to / "registry.db");
  Transaction tx(database, Transaction::Kind::read, "reading which photos the backup has");
  const BlobStore source(from / "photos"), target(to / "photos");
  int copied = 0;
  Statement row = tx.query("SELECT digest FROM photo ORDER BY digest");
  while (row.step()) {
    const Digest digest = row.digest(0);
    if (!source.verify(digest)) {
      missing.push_back(digest.hex());
      continue;
    }
    make_folder(target.path_of(digest).parent_path());
    copy_file_durably(source.path_of(digest), target.path_of(digest));
    ++copied;
  }
  return copied;
}

// Opened as the daemon will open it (an older schema is migrated), and checked whole.
void check_restored(const fs::path& folder, const BackupNote& note, const Clock& clock, const std::string& actor,
                    const std::string& from, Restored& restored) {
  const auto registry = Registry::open(folder, clock);
  if (registry->head()->id != note.head)
    throw Error(Code::corrupt, "the backup says that it publishes state " + std::to_string(note.head) +
                                   ", and its database publishes " + std::to_string(registry->head()->id));
  std::size_t photos = 0;
  for (const std::string& fault : registry->verify())
    if (fault.starts_with("photo "))
      ++photos;
    else
      throw Error(Code::corrupt, "the backup is damaged: " + fault);
  if (photos != restored.missing.size()) throw Error(Code::corrupt, "the photos could not be copied whole");
  restored.head = note.head;
  restored.versions = static_cast<int>(registry->counts().versions);
  registry->note_restored(actor, from);
}

}  // namespace

void write_backup_note(const fs::path& folder, const BackupNote& note) {
  const Json json{{"format", kFormat},
                  {"head", note.head},
                  {"database", note.database.tagged()},
                  {"created_at", to_iso8601(note.created_at)}};
  write_file_durably(folder / "backup.json", json.dump(2) + "\n");
}

BackupNote read_backup_note(const fs::path& folder) {
  const fs::path file = folder / "backup.json";
  if (!fs::exists(file))
    throw Error(Code::invalid, folder.string() + " is not a backup: it has no backup.json", "backup");
  const Json json = parse_json(read_file(file, kNoteBytesMax), file.string());
  try {
    if (json.at("format").get<int>() != kFormat)
      throw Error(Code::conflict, file.string() + " was written by a newer conceptd; restore with that release");
    return {.head = json.at("head").get<std::int64_t>(),
            .database = Digest::parse(json.at("database").get<std::string>()),
            .created_at = parse_iso8601(json.at("created_at").get<std::string>())};
  } catch (const Json::exception& e) {
    throw Error(Code::invalid, file.string() + " is not what a backup says of itself: " + e.what(), "backup");
  }
}

Restored restore_backup(const fs::path& backup, const fs::path& to, const Clock& clock, const std::string& actor) {
  const BackupNote note = read_backup_note(backup);
  const fs::path target = fs::absolute(to).lexically_normal();
  const fs::path whole = target.has_filename() ? target : target.parent_path();
  check_target(whole);
  const fs::path unfinished = whole.string() + ".restoring" + std::string(kTemporarySuffix);
  remove_tree(unfinished);
  Restored restored;
  try {
    make_folder(unfinished);
    copy_file_durably(backup / "registry.db", unfinished / "registry.db");
    if (Digest::of_file(unfinished / "registry.db") != note.database)
      throw Error(Code::corrupt,
                  (backup / "registry.db").string() + " is damaged: its bytes are not those of backup.json");
    make_folder(unfinished / "photos");
    restored.photos = copy_photos(backup, unfinished, restored.missing);
    check_restored(unfinished, note, clock, actor, backup.string(), restored);
    publish_file_durably(unfinished, whole);
  } catch (...) {
    try {  // the target is somebody's: a daemon may have begun to live there
      remove_tree(unfinished);
    } catch (const Error& error) {
      spdlog::warn("after a restore that failed: {}", error.what());
    }
    throw;
  }
  return restored;
}

}  // namespace conceptd::registry
