// Brings a database to the schema of this program: named migrations, each in one transaction together with the row that
// says it was applied. Names, not a counter, so that two lines of development can each add one.
#pragma once
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "registry/sqlite.h"

namespace conceptd::registry {

struct Migration {
  std::string_view name;    // "0001_initial": the file's name
  std::string_view digest;  // SHA-256 of the file, hex
  std::string_view sql;
};

// migrations/*.sql, built into the program; in order.
std::span<const Migration> embedded_migrations() noexcept;

// "CNCP": tells our files from any other SQLite database.
inline constexpr int kApplicationId = 0x434e4350;

struct MigrateReport {
  std::vector<std::string> applied;             // empty: it was up to date
  std::optional<std::filesystem::path> backup;  // taken before the first one, where the database was not new
};

// Error{corrupt}: not a registry, or a migration was edited after it had been applied. Error{conflict}: it holds a
// migration that this program does not know, so a newer release wrote it; nothing is touched.
MigrateReport migrate(Database& database, std::span<const Migration> known, const Clock& clock,
                      const std::filesystem::path& backups);

}  // namespace conceptd::registry
