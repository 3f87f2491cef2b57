// Another program that has begun to write to a database, and sits there.
#pragma once
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <stdexcept>

namespace conceptd::test {

class DatabaseHolder {
 public:
  // While this process has one thread and no database open. The file need not be there before hold().
  explicit DatabaseHolder(const std::filesystem::path& file) {
    if (::pipe(asked_) != 0 || ::pipe(held_) != 0) throw std::runtime_error("pipe failed");
    child_ = ::fork();
    if (child_ != 0) return;
    char asked = 0;
    sqlite3* database = nullptr;
    if (::read(asked_[0], &asked, 1) == 1 && sqlite3_open(file.c_str(), &database) == SQLITE_OK &&
        sqlite3_exec(database, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK &&
        ::write(held_[1], "", 1) == 1)
      for (;;) ::pause();
    ::_exit(1);
  }
  ~DatabaseHolder() {
    let_go();
    for (const int fd : {asked_[0], asked_[1], held_[0], held_[1]}) ::close(fd);
  }
  DatabaseHolder(const DatabaseHolder&) = delete;
  DatabaseHolder& operator=(const DatabaseHolder&) = delete;

  void hold() {  // returns when it does
    char held = 0;
    ::close(held_[1]);  // so that a child that could not is an end of file
    held_[1] = -1;
    if (::write(asked_[1], "", 1) != 1 || ::read(held_[0], &held, 1) != 1)
      throw std::runtime_error("the database could not be held");
  }
  void let_go() {
    if (child_ > 0) ::kill(child_, SIGKILL), ::waitpid(child_, nullptr, 0);
    child_ = -1;
  }

 private:
  int asked_[2] = {-1, -1}, held_[2] = {-1, -1};
  pid_t child_ = -1;
};

}  // namespace conceptd::test
