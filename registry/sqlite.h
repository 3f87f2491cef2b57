// SQLite, three classes thin: a Database is a connection and its lock, a Transaction holds that lock from begin to end
// and rolls back unless committed, a Statement is one use of one SQL text. A statement can only be made from a
// transaction, so nobody reads or writes outside one. Failures become Error here, with what was being done and the
// extended code.
#pragma once
#include <sqlite3.h>

#include <atomic>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/digest.h"
#include "core/json.h"

namespace conceptd::registry {

class Database {
 public:
  // Opens or creates (mode 0600): WAL, synchronous=FULL, foreign keys on, a busy time-out, no trust in the schema.
  explicit Database(const std::filesystem::path& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }
  // What cannot stand inside a transaction: pragmas. Takes the lock.
  void execute(const std::string& sql, std::string_view doing);
  // SQLite has met a disk that does not read or write, or bytes that are not what they were. A full disk is neither.
  bool storage_failed() const noexcept { return storage_failed_; }
  bool last_commit_failed() const noexcept { return last_commit_failed_; }

 private:
  friend class Transaction;
  friend class Statement;
  friend void back_up_database(Database&, const std::filesystem::path&);
  // Throws what a result code means; remembers a failure of the storage.
  [[noreturn]] void fail(int result, std::string_view doing, std::string_view what);
  void run(const std::string& sql, std::string_view doing);
  void copy_to(sqlite3* target, std::string_view doing);

  const std::filesystem::path path_;
  sqlite3* handle_ = nullptr;
  std::mutex mutex_;
  std::atomic<bool> storage_failed_{false};
  std::atomic<bool> last_commit_failed_{false};
};

// Bytes to be bound as a BLOB; a plain std::string_view is bound as TEXT.
struct Blob {
  std::string_view bytes;
};

class Transaction;

class Statement {
 public:
  Statement(Transaction& transaction, std::string_view sql);
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Binds all parameters, in order, after resetting the last use: statement.bind(a, b).step().
  template <typename... Values>
  Statement& bind(const Values&... values) {
    reset();
    int index = 0;
    (put(++index, values), ...);
    return *this;
  }
  bool step();  // true: there is a row

  // The columns of the row, counted from 0. NULL in one that may not be: Error{corrupt}.
  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;
  std::string blob(int column) const;
  Digest digest(int column) const { return Digest::from_raw(blob(column)); }
  TimePoint time(int column) const { return from_unix_ms(integer(column)); }
  Json json(int column) const;
  int number(int column) const { return static_cast<int>(integer(column)); }
  // statement.maybe(3, &Statement::time): empty where the column is NULL.
  template <typename T>
  std::optional<T> maybe(int column, T (Statement::*read)(int) const) const {
    if (is_null(column)) return std::nullopt;
    return (this->*read)(column);
  }

 private:
  void reset();
  void check(int result, std::string_view what) const;
  void put(int index, std::nullptr_t);
  void put(int index, std::string_view text);
  void put(int index, const Blob& blob);
  void put(int index, double value);
  void put_integer(int index, std::int64_t value);
  void put(int index, std::integral auto value) { put_integer(index, static_cast<std::int64_t>(value)); }
  void put(int index, const char* text) { put(index, std::string_view(text)); }
  void put(int index, const std::string& text) { put(index, std::string_view(text)); }
  void put(int index, const Digest& digest) { put(index, Blob{digest.raw()}); }
  void put(int index, TimePoint time) { put_integer(index, to_unix_ms(time)); }
  void put(int index, const Json& json);
  template <typename T>
  void put(int index, const std::optional<T>& value) {
    value ? put(index, *value) : put(index, nullptr);
  }

  Transaction* transaction_;
  sqlite3_stmt* statement_ = nullptr;
};

class Transaction {
 public:
  enum class Kind { read, immediate };
  // doing: what an error says first, "publishing kettle-7". Waits for the transaction of another thread.
  Transaction(Database& database, Kind kind, std::string doing);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  template <typename... Values>
  Statement query(std::string_view sql, const Values&... values) {
    Statement statement(*this, sql);
    statement.bind(values...);
    return statement;
  }
  // Runs to the end and says how many rows changed.
  template <typename... Values>
  int run(std::string_view sql, const Values&... values) {
    Statement statement = query(sql, values...);
    while (statement.step()) {
    }
    return sqlite3_changes(handle());
  }
  // The first column of the first row.
  template <typename... Values>
  std::int64_t value(std::string_view sql, const Values&... values) {
    Statement statement = query(sql, values...);
    return statement.step() ? statement.integer(0) : 0;
  }
  void script(const std::string& sql);  // several statements without parameters
  std::int64_t last_id() const { return sqlite3_last_insert_rowid(handle()); }
  void commit();  // durable when it returns
  const std::string& doing() const noexcept { return doing_; }

 private:
  friend class Statement;
  sqlite3* handle() const noexcept { return database_.handle_; }

  Database& database_;
  std::unique_lock<std::mutex> lock_;
  std::string doing_;
  bool open_ = false;
};

// A consistent copy of the database under a new name: page by page to a temporary, integrity_check, fsync, rename.
// The lock is taken for a megabyte at a time, so that others work meanwhile; what they write is in the copy too.
void back_up_database(Database& database, const std::filesystem::path& file);

}  // namespace conceptd::registry
