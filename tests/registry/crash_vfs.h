// A layer under SQLite, and the hook of core/file_io, as one row of durable steps: a test says what becomes of each.
#pragma once
#include <filesystem>
#include <functional>
#include <string_view>

namespace conceptd::registry::test {

enum class Fate {
  happens,
  death,        // the process ends before it
  half_death,   // a write is half done, then the process ends
  io_error,     // EIO
  disk_full,    // ENOSPC, nothing written
  short_write,  // half of it is written, then ENOSPC
  power_loss,   // the machine ends before it: what was not synced is gone
  torn_power,   // the same, but a random part of what was not synced has reached the disk
};

// Asked before every write, truncation, sync and deletion of SQLite's and every step of core/file_io.
using Decide = std::function<Fate(std::string_view kind)>;

// For a forked child: connections opened from now on ask, and so does core/file_io. root: all that lies there, and
// nothing yet; with one, syncs are remembered, so that the power may fail.
void install_fates(Decide decide, const std::filesystem::path& root = {});

}  // namespace conceptd::registry::test
