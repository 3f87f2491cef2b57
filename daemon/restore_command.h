// `conceptd restore BACKUP --to FOLDER`: the one thing that is done with a registry while no daemon has it open.
#pragma once
#include <filesystem>
#include <iosfwd>

#include "core/clock.h"

namespace conceptd::daemon {

// Restores, and says to `out` what came of it and what to do next; with json, as one document. Throws what
// registry::restore_backup() throws.
void restore(const std::filesystem::path& backup, const std::filesystem::path& to, const Clock& clock, bool json,
             std::ostream& out);

}  // namespace conceptd::daemon
