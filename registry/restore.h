// Backups as folders: registry.db, photos/ab/abcd..., and backup.json, which says what the first two must be. Restoring
// is for a time when no daemon runs, and goes into a folder that holds no registry: nothing is ever written over.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/digest.h"

namespace conceptd::registry {

// backup.json
struct BackupNote {
  std::int64_t head = 0;
  Digest database{};
  TimePoint created_at{};
};

void write_backup_note(const std::filesystem::path& folder, const BackupNote& note);
// Error{invalid} if the folder is no backup, Error{conflict} if a newer release made it.
BackupNote read_backup_note(const std::filesystem::path& folder);

struct Restored {
  std::int64_t head = 0;
  int versions = 0;
  int photos = 0;
  std::vector<std::string> missing{};  // photos that the backup does not have whole: their concepts cannot be relearnt
};

// A registry in `to`, which must not be there or be empty, with all that the backup has. The copy is checked whole
// (every byte hashed, the published state compared) before `to` gets its name. Error{busy}: a daemon runs in `to`.
// Error{conflict}: `to` holds something. Error{corrupt}: the backup is damaged; nothing is left behind.
Restored restore_backup(const std::filesystem::path& backup, const std::filesystem::path& to, const Clock& clock,
                        const std::string& actor);

}  // namespace conceptd::registry
