#include "daemon/restore_command.h"

#include <ostream>

#include "core/json.h"
#include "registry/restore.h"

namespace conceptd::daemon {

void restore(const std::filesystem::path& backup, const std::filesystem::path& to, const Clock& clock, bool json,
             std::ostream& out) {
  const registry::Restored restored = registry::restore_backup(backup, to, clock, "conceptd restore");
  if (json) {
    const Json document{{"folder", to.string()},
                        {"state", restored.head},
                        {"versions", restored.versions},
                        {"photos", restored.photos},
                        {"missing", restored.missing}};
    out << document.dump(2) << "\n";
    return;
  }
  out << "Restored state " << restored.head << " with " << restored.versions << " versions and " << restored.photos
      << " photos into " << to.string() << "; every byte was checked.\n";
  for (const std::string& digest : restored.missing)
    out << "The backup lacks photo " << digest << "; its concept can be used and not learnt again.\n";
  out << "Use it: conceptd --data-dir " << to.string() << "\n";
}

}  // namespace conceptd::daemon
