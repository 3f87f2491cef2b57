#include "core/file_io.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.h"

namespace conceptd {
namespace fs = std::filesystem;
namespace {

DurableStepHook g_hook;

// errno as an Error that says what was being done to which file.
Error failure(const std::string& doing, const fs::path& path, int error = errno) {
  return Error(error == ENOENT ? Code::not_found : Code::unavailable,
               doing + " " + path.string() + ": " + std::strerror(error));
}

class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags, mode_t mode = 0600)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

void sync(const Descriptor& file, const fs::path& path, std::string_view kind) {
  announce_durable_step(kind, path);
  if (::fsync(file.get()) != 0) throw failure("syncing", path);
}

void sync_folder_of(const fs::path& path) { sync_folder(path.has_parent_path() ? path.parent_path() : fs::path(".")); }

void rename_and_sync(const fs::path& from, const fs::path& to) {
  announce_durable_step("rename", to);
  if (::rename(from.c_str(), to.c_str()) != 0) throw failure("renaming to", to);
  sync_folder_of(to);
}

fs::path temporary_for(const fs::path& path) {
  static std::atomic<unsigned> g_serial{0};
  fs::path temporary = path;
  temporary += "." + std::to_string(::getpid()) + "-" + std::to_string(g_serial++) + std::string(kTemporarySuffix);
  return temporary;
}

void write_all(const Descriptor& file, const fs::path& path, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw failure("writing", path);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace

void set_durable_step_hook(DurableStepHook hook) { g_hook = std::move(hook); }

void announce_durable_step(std::string_view kind, const fs::path& path) {
  if (g_hook) g_hook({kind, path});
}

void sync_folder(const fs::path& folder) {
  const Descriptor file(folder, O_RDONLY | O_DIRECTORY);
  if (file.get() < 0) throw failure("opening folder", folder);
  sync(file, folder, "fsync-dir");
}

void write_file_durably(const fs::path& path, std::string_view bytes) {
  const fs::path temporary = temporary_for(path);
  try {
    const Descriptor file(temporary, O_WRONLY | O_CREAT | O_EXCL);
    if (file.get() < 0) throw failure("creating", temporary);
    announce_durable_step("write", temporary);
    write_all(file, temporary, bytes);
    sync(file, temporary, "fsync");
    rename_and_sync(temporary, path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

void copy_file_durably(const fs::path& from, const fs::path& to) {
  const Descriptor source(from, O_RDONLY | O_NOFOLLOW);
  if (source.get() < 0) throw failure("opening", from);
  const fs::path temporary = temporary_for(to);
  try {
    const Descriptor file(temporary, O_WRONLY | O_CREAT | O_EXCL);
    if (file.get() < 0) throw failure("creating", temporary);
    announce_durable_step("write", temporary);
    char piece[1 << 16];
    for (;;) {
      const ssize_t count = ::read(source.get(), piece, sizeof piece);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw failure("reading", from);
      if (count == 0) break;
      write_all(file, temporary, {piece, static_cast<std::size_t>(count)});
    }
    sync(file, temporary, "fsync");
    rename_and_sync(temporary, to);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

void link_or_copy_file(const fs::path& from, const fs::path& to) {
  announce_durable_step("link", to);
  if (::link(from.c_str(), to.c_str()) == 0) return;
  if (errno == ENOENT || errno == EEXIST || errno == ENOSPC || errno == EDQUOT) throw failure("linking to", to);
  copy_file_durably(from, to);
}

void publish_file_durably(const fs::path& temporary, const fs::path& path) {
  {
    const Descriptor file(temporary, O_RDONLY);
    if (file.get() < 0) throw failure("opening", temporary);
    sync(file, temporary, "fsync");
  }
  try {
    rename_and_sync(temporary, path);
  } catch (...) {
    if (!fs::exists(fs::symlink_status(temporary))) ::rename(path.c_str(), temporary.c_str());  // it had the name
    throw;
  }
}

std::string read_file(const fs::path& path, std::uint64_t limit_bytes) {
  const Descriptor file(path, O_RDONLY);
  if (file.get() < 0) throw failure("opening", path);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) throw failure("reading", path);
  if (!S_ISREG(info.st_mode)) throw Error(Code::invalid, path.string() + " is not a regular file");
  std::string bytes;
  bytes.reserve(std::min<std::uint64_t>(static_cast<std::uint64_t>(info.st_size), limit_bytes));
  char piece[1 << 16];
  for (;;) {
    const ssize_t count = ::read(file.get(), piece, sizeof piece);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw failure("reading", path);
    if (count == 0) return bytes;
    if (bytes.size() + static_cast<std::size_t>(count) > limit_bytes)
      throw Error(Code::exhausted, path.string() + " holds more than " + std::to_string(limit_bytes) + " bytes");
    bytes.append(piece, static_cast<std::size_t>(count));
  }
}

bool remove_file(const fs::path& path) {
  announce_durable_step("unlink", path);
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return false;
    throw failure("removing", path);
  }
  sync_folder_of(path);
  return true;
}

void remove_tree(const fs::path& path) {
  if (!fs::exists(fs::symlink_status(path))) return;
  fs::path doomed = path;
  if (!path.filename().string().ends_with(kTemporarySuffix)) {
    doomed += kTemporarySuffix;
    remove_tree(doomed);
    rename_and_sync(path, doomed);
  }
  announce_durable_step("unlink", doomed);
  std::error_code error;
  fs::remove_all(doomed, error);
  if (error) throw failure("removing", doomed, error.value());
}

void make_folder(const fs::path& path) {
  if (path.empty() || fs::is_directory(path)) return;
  make_folder(path.parent_path());
  announce_durable_step("mkdir", path);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) throw failure("making folder", path);
  if (!fs::is_directory(path)) throw Error(Code::unavailable, path.string() + " exists and is not a folder");
  try {
    sync_folder_of(path);
  } catch (...) {
    ::rmdir(path.c_str());  // or the next try would take it for durable
    throw;
  }
}

FileLock::FileLock(const fs::path& path) : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
  if (fd_ < 0) throw failure("opening", path);
  if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) {
    const std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd_, 0) == 0 && ::pwrite(fd_, pid.data(), pid.size(), 0) > 0) return;
    const int error = errno;
    ::close(fd_);
    throw failure("writing", path, error);
  }
  const int error = errno;
  char holder[32] = {};
  const ssize_t count = ::pread(fd_, holder, sizeof holder - 1, 0);
  ::close(fd_);
  if (error != EWOULDBLOCK) throw failure("locking", path, error);
  std::string who(holder, count > 0 ? static_cast<std::size_t>(count) : 0);
  while (!who.empty() && who.back() == '\n') who.pop_back();
  throw Error(Code::busy, path.string() + " is locked by another conceptd" +
                              (who.empty() ? "" : " (process " + who + ")") +
                              "; stop it first, or use another data folder");
}

FileLock::~FileLock() { ::close(fd_); }

}  // namespace conceptd
