#include "registry/sqlite.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "core/error.h"
#include "core/file_io.h"

namespace conceptd::registry {
namespace fs = std::filesystem;
namespace {

Code code_of(int result) {
  switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::busy;
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
      return Code::exhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::corrupt;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return Code::unavailable;
    default:
      return Code::internal;
  }
}

Error failure(sqlite3* handle, int result, std::string_view doing, std::string_view what, const fs::path& path) {
  const int extended = handle ? sqlite3_extended_errcode(handle) : result;
  const bool locked = code_of(result) == Code::busy;  // a thread of ours would have been waited for
  return Error(code_of(result), std::string(doing) + ": " + (handle ? sqlite3_errmsg(handle) : sqlite3_errstr(result)) +
                                    (locked ? "; another program is writing to it; end that one, or try again" : "") +
                                    " (SQLite " + std::to_string(extended) + ", " + std::string(what) + ", " +
                                    path.string() + ")");
}

bool is_storage_failure(int result) {
  const int primary = result & 0xff;
  return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || primary == SQLITE_IOERR;
}

constexpr int kPagesAtOnce = 256;  // of a backup: a megabyte

}  // namespace

void Database::fail(int result, std::string_view doing, std::string_view what) {
  if (is_storage_failure(result)) storage_failed_ = true;
  throw failure(handle_, result, doing, what, path_);
}

void Database::run(const std::string& sql, std::string_view doing) {
  const int result = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) fail(result, doing, sql.substr(0, 60));
}

Database::Database(const fs::path& path) : path_(path) {
  if (!fs::exists(path)) write_file_durably(path, "");  // SQLite gives the -wal file the mode of this one
  const std::string doing = "opening the registry";
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
  const int result = sqlite3_open_v2(path.c_str(), &handle_, flags, nullptr);
  try {
    if (result != SQLITE_OK) throw failure(handle_, result, doing, "open", path);
    sqlite3_extended_result_codes(handle_, 1);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    run("PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
        "PRAGMA secure_delete = ON;",
        doing);
  } catch (...) {
    sqlite3_close(handle_);
    throw;
  }
}

Database::~Database() {
  if (sqlite3_close(handle_) != SQLITE_OK) spdlog::error("closing {}: {}", path_.string(), sqlite3_errmsg(handle_));
}

void Database::execute(const std::string& sql, std::string_view doing) {
  const std::lock_guard lock(mutex_);
  run(sql, doing);
}

void Database::copy_to(sqlite3* target, std::string_view doing) {
  sqlite3_backup* backup = nullptr;
  int result = SQLITE_OK;
  do {
    const std::lock_guard lock(mutex_);
    if (!backup) backup = sqlite3_backup_init(target, "main", handle_, "main");
    result = backup ? sqlite3_backup_step(backup, kPagesAtOnce) : sqlite3_errcode(target);
  } while (result == SQLITE_OK);
  const std::lock_guard lock(mutex_);
  const int finished = sqlite3_backup_finish(backup);
  const int fault = result != SQLITE_DONE ? result : finished;
  if ((fault & 0xff) == SQLITE_CORRUPT) storage_failed_ = true;  // an IOERR may be the target's
  if (result != SQLITE_DONE || finished != SQLITE_OK)
    throw failure(target, result != SQLITE_DONE ? result : finished, doing, "copy", path_);
}

Statement::Statement(Transaction& transaction, std::string_view sql) : transaction_(&transaction) {
  check(sqlite3_prepare_v2(transaction.handle(), sql.data(), static_cast<int>(sql.size()), &statement_, nullptr), sql);
}

Statement::Statement(Statement&& other) noexcept
    : transaction_(other.transaction_), statement_(std::exchange(other.statement_, nullptr)) {}

Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::check(int result, std::string_view what) const {
  if (result == SQLITE_OK || result == SQLITE_ROW || result == SQLITE_DONE) return;
  transaction_->database_.fail(result, transaction_->doing_, what);
}

void Statement::reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

bool Statement::step() {
  const int result = sqlite3_step(statement_);
  check(result, sqlite3_sql(statement_));
  return result == SQLITE_ROW;
}

// SQLITE_STATIC where the caller's value outlives the use would save a copy; rows are small, so all are copied.
void Statement::put(int index, std::nullptr_t) { check(sqlite3_bind_null(statement_, index), "bind"); }
void Statement::put(int index, double value) { check(sqlite3_bind_double(statement_, index, value), "bind"); }
void Statement::put_integer(int index, std::int64_t value) {
  check(sqlite3_bind_int64(statement_, index, value), "bind");
}
void Statement::put(int index, std::string_view text) {
  const char* data = text.data() ? text.data() : "";  // a null pointer would be bound as NULL
  check(sqlite3_bind_text64(statement_, index, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8), "bind");
}
void Statement::put(int index, const Blob& blob) {
  const char* data = blob.bytes.data() ? blob.bytes.data() : "";
  check(sqlite3_bind_blob64(statement_, index, data, blob.bytes.size(), SQLITE_TRANSIENT), "bind");
}
void Statement::put(int index, const Json& json) {
  try {
    put(index, std::string_view(json.dump()));
  } catch (const Json::exception& e) {  // not UTF-8
    throw Error(Code::invalid, transaction_->doing_ + ": " + e.what());
  }
}

bool Statement::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_, column); }

double Statement::real(int column) const { return sqlite3_column_double(statement_, column); }

std::string Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (!data) throw Error(Code::corrupt, transaction_->doing_ + ": NULL where a text should be");
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::string Statement::blob(int column) const {
  if (is_null(column)) throw Error(Code::corrupt, transaction_->doing_ + ": NULL where bytes should be");
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return {data ? data : "", static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Json Statement::json(int column) const {
  try {
    return Json::parse(text(column));
  } catch (const Json::exception& e) {
    throw Error(Code::corrupt, transaction_->doing_ + ": a stored document is not JSON: " + e.what());
  }
}

Transaction::Transaction(Database& database, Kind kind, std::string doing)
    : database_(database), lock_(database.mutex_), doing_(std::move(doing)) {
  database_.run(kind == Kind::immediate ? "BEGIN IMMEDIATE" : "BEGIN", doing_);
  open_ = true;
}

Transaction::~Transaction() {
  if (!open_ || sqlite3_get_autocommit(handle())) return;  // some failures roll back by themselves
  if (sqlite3_exec(handle(), "ROLLBACK", nullptr, nullptr, nullptr) != SQLITE_OK)
    spdlog::error("{}: rolling back: {}", doing_, sqlite3_errmsg(handle()));
}

void Transaction::script(const std::string& sql) { database_.run(sql, doing_); }

void Transaction::commit() {
  try {
    announce_durable_step("commit", database_.path());
    database_.run("COMMIT", doing_);
  } catch (...) {
    database_.last_commit_failed_ = true;
    throw;
  }
  database_.last_commit_failed_ = false;
  open_ = false;
}

void back_up_database(Database& database, const fs::path& file) {
  make_folder(file.parent_path());
  const fs::path temporary = file.string() + std::string(kTemporarySuffix);
  remove_file(temporary);
  try {
    {
      Database copy(temporary);
      database.copy_to(copy.handle_, "backing up to " + file.string());
    }
    {
      Database copy(temporary);
      Transaction tx(copy, Transaction::Kind::read, "checking the backup " + file.string());
      Statement check = tx.query("PRAGMA integrity_check");
      if (!check.step() || check.text(0) != "ok")
        throw Error(Code::corrupt, "the backup " + file.string() + " does not pass SQLite's integrity check");
    }
    publish_file_durably(temporary, file);
  } catch (...) {
    try {
      for (const char* suffix : {"", "-wal", "-shm"}) remove_file(temporary.string() + suffix);
    } catch (const Error& error) {
      spdlog::warn("after a backup that failed: {}", error.what());
    }
    throw;
  }
}

}  // namespace conceptd::registry
