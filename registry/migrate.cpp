#include "registry/migrate.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

#include "core/error.h"

namespace conceptd::registry {
namespace fs = std::filesystem;
namespace {

using Applied = std::map<std::string, std::string, std::less<>>;  // name -> digest

struct Found {
  bool fresh = false;
  Applied applied;
};

Found inspect(Database& database) {
  Transaction tx(database, Transaction::Kind::read, "reading the registry's schema");
  if (tx.value("SELECT count(*) FROM sqlite_master") == 0) return {.fresh = true, .applied = {}};
  if (tx.value("PRAGMA application_id") != kApplicationId)
    throw Error(Code::corrupt, database.path().string() + " is an SQLite database, but not a conceptd registry");
  Found found;
  Statement row = tx.query("SELECT name, digest FROM migration");
  while (row.step()) found.applied.emplace(row.text(0), row.text(1));
  return found;
}

void refuse_what_we_do_not_know(const Applied& applied, std::span<const Migration> known, const fs::path& path) {
  for (const auto& [name, digest] : applied) {
    const auto it = std::find_if(known.begin(), known.end(), [&](const Migration& m) { return m.name == name; });
    if (it == known.end())
      throw Error(Code::conflict, path.string() + " was written by a newer conceptd (it has migration '" + name +
                                      "', which this program does not know). Install that release, or restore a "
                                      "backup made before it");
    if (it->digest != digest)
      throw Error(Code::corrupt, "migration '" + name + "' is not the one that " + path.string() +
                                     " was made with: it was edited after it had been applied");
  }
}

void run_one(Database& database, const Migration& migration, bool first, const Clock& clock) {
  Transaction tx(database, Transaction::Kind::immediate, "migration " + std::string(migration.name));
  if (first) {
    tx.script("PRAGMA application_id = " + std::to_string(kApplicationId));
    tx.script(
        "CREATE TABLE migration (name TEXT NOT NULL PRIMARY KEY, digest TEXT NOT NULL, applied_at INTEGER NOT NULL) "
        "STRICT");
  }
  tx.script(std::string(migration.sql));
  if (tx.query("PRAGMA foreign_key_check").step())
    throw Error(Code::internal, tx.doing() + " leaves a row that refers to nothing");
  tx.run("INSERT INTO migration (name, digest, applied_at) VALUES (?, ?, ?)", migration.name, migration.digest,
         clock.now());
  tx.commit();
}

}  // namespace

MigrateReport migrate(Database& database, std::span<const Migration> known, const Clock& clock,
                      const fs::path& backups) {
  const Found found = inspect(database);
  refuse_what_we_do_not_know(found.applied, known, database.path());
  MigrateReport report;
  bool first = found.fresh;
  for (const Migration& migration : known) {
    if (found.applied.contains(migration.name)) continue;
    if (!found.fresh && !report.backup) {
      std::string time = to_iso8601(clock.now());
      std::erase_if(time, [](char c) { return c == ':' || c == '-'; });
      report.backup = backups / ("before-" + std::string(migration.name) + "-" + time + ".db");
      back_up_database(database, *report.backup);
    }
    run_one(database, migration, first, clock);
    first = false;
    report.applied.emplace_back(migration.name);
    spdlog::info("registry: applied migration {}", migration.name);
  }
  return report;
}

}  // namespace conceptd::registry
