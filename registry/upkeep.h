// What keeping a registry for years takes: erasing what nothing reaches, and copies that are known to be good.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/digest.h"

namespace conceptd::registry {

// What gc may erase: nothing that the last states, a pin, an alias, a running job or night, or the next plain rollback
// reaches, and nothing younger than this.
struct GcPolicy {
  int keep_states = 30;                                          // the head is one of them
  std::chrono::milliseconds older_than = std::chrono::days(30);  // of versions; of removals, for photos
  bool dry_run = false;
};

struct ErasedVersion {
  std::string name{};
  int number = 0;
  std::int64_t bytes = 0;  // of its delta
};

// What was erased, or, of a dry run, what would be.
struct GcReport {
  std::vector<ErasedVersion> versions{};
  std::vector<std::string> concepts{};  // removed long enough ago that their photos are nobody's any more
  int previews = 0;
  int photos = 0;
  int stray_files = 0;     // photo files that a crash left and no row names
  std::int64_t bytes = 0;  // all of it together
};

struct BackupReport {
  std::filesystem::path folder{};
  std::int64_t head = 0;  // the state that the copy publishes
  Digest database{};
  std::int64_t database_bytes = 0;
  int versions = 0;
  int photos = 0;
  std::vector<std::string> missing{};  // photos that were missing or damaged already, by digest
};

}  // namespace conceptd::registry
