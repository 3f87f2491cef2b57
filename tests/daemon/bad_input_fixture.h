// For tests of what must be refused: the whole of what a daemon has stored, to be compared before and after; photos
// that are made to measure.
#pragma once
#include <sqlite3.h>

#include <fstream>
#include <set>

#include "tests/daemon/daemon_fixture.h"
#include "tests/support/bent_pictures.h"

namespace conceptd::daemon::test {

// A good PNG that asks the fake decoder to do this.
inline std::string photo_that(const std::string& does) { return picture::encode_png(pattern(1), {{"do", does}}); }

// Of this process, at this moment.
inline std::vector<pid_t> children() {
  std::vector<pid_t> found;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream in(task.path() / "children");
    for (pid_t pid = 0; in >> pid;) found.push_back(pid);
  }
  return found;
}

class BadInputTest : public DaemonTest {
 protected:
  // Every row of every table and every file of the data folder but SQLite's own, as text.
  std::string everything_stored() {
    std::string all;
    sqlite3* database = nullptr;
    EXPECT_EQ(sqlite3_open_v2((config_.data_dir / "registry.db").c_str(), &database, SQLITE_OPEN_READONLY, nullptr),
              SQLITE_OK);
    for (const std::string& table :
         column(database, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"))
      for (const std::string& row : column(database, "SELECT * FROM \"" + table + "\"")) all += table + row + "\n";
    sqlite3_close(database);
    std::set<std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(config_.data_dir))
      if (!entry.path().filename().string().starts_with("registry.db")) files.insert(entry.path().string());
    for (const std::string& file : files) all += file + "\n";
    return all;
  }
  // It is refused with this status and field, says this, changes nothing, and the next good request works.
  void expect_refused(const std::string& target, const Json& body, int status, const std::string& field,
                      const std::string& says = {}) {
    expect_text_refused(target, body.dump(), status, field, says);
  }
  void expect_text_refused(const std::string& target, const std::string& body, int status, const std::string& field,
                           const std::string& says = {}) {
    SCOPED_TRACE(target + " " + body.substr(0, 200));
    const std::string before = everything_stored();
    const cli::Reply reply = client().exchange("POST", "/api/v1/" + target, body, 30s);
    ASSERT_EQ(reply.status, status) << reply.body;
    const api::ErrorBody error = api::decode_error(parse_json(reply.body, "the answer"));
    EXPECT_EQ(error.field, field) << error.message;
    EXPECT_THAT(error.message, HasSubstr(says));
    EXPECT_EQ(everything_stored(), before) << "it left a trace";
    EXPECT_EQ(client().exchange("GET", "/healthz", {}, 30s).status, 200);
  }
  // The warnings with which these photos are taken.
  std::vector<std::string> warnings_for(const std::string& name, const std::vector<std::string>& photos) {
    api::AddConcept request{.name = name, .class_word = "kettle", .method = "fake", .seed = 1};
    for (const std::string& bytes : photos)
      request.photos.push_back({.name = std::to_string(request.photos.size()) + ".jpg", .data = {bytes}});
    return api::decode_answer<api::Queued>(client().post("concepts", api::encode(request))).warnings;
  }

 private:
  static std::vector<std::string> column(sqlite3* database, const std::string& sql) {
    std::vector<std::string> rows;
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(database, sql.c_str(), -1, &statement, nullptr), SQLITE_OK) << sql;
    while (sqlite3_step(statement) == SQLITE_ROW) {
      std::string row;
      const int columns = sqlite3_column_count(statement);
      for (int i = 0; i < columns; ++i) {
        const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, i));
        const std::string value(bytes ? bytes : "", static_cast<std::size_t>(sqlite3_column_bytes(statement, i)));
        row += (columns > 1 ? "|" : "") + value;
      }
      rows.push_back(row);
    }
    sqlite3_finalize(statement);
    return rows;
  }
};

}  // namespace conceptd::daemon::test
