// Every step by which bytes become durable goes through this file: fsync, rename, unlink, mkdir, and the SQLite commits
// that the registry announces here. So a test can count the steps of an operation, stop the process at any one of
// them, or make one fail as a full disk would. Nothing else in the house may call those functions.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace conceptd {

// Announced just before it happens. Kinds: "write", "fsync", "rename", "unlink", "link", "mkdir", "fsync-dir",
// "commit".
struct DurableStep {
  std::string_view kind;
  std::filesystem::path path;
};

// Called before every durable step; it may throw (the step then fails) or end the process (a crash before the step).
// One hook for the process, set while no other thread writes. An empty function removes it.
using DurableStepHook = std::function<void(const DurableStep&)>;
void set_durable_step_hook(DurableStepHook hook);
void announce_durable_step(std::string_view kind, const std::filesystem::path& path);

// After it returns, path holds exactly these bytes even if the power fails: temp file in the same folder, fsync,
// rename, fsync of the folder. If it throws (Error{unavailable}, on a full disk too), path is as it was or holds all
// the bytes, never a part of them. Mode 0600: what we store is private.
void write_file_durably(const std::filesystem::path& path, std::string_view bytes);

// A copy of any size, as durable and as whole as write_file_durably() makes one.
void copy_file_durably(const std::filesystem::path& from, const std::filesystem::path& to);

// Another name for the same bytes (a hard link) where the disk allows that, else a copy. The folder of `to` is for the
// caller to sync. Only for files that never change.
void link_or_copy_file(const std::filesystem::path& from, const std::filesystem::path& to);

// For a file or a folder that somebody else has filled: fsync it, rename it to its name, fsync the folder that it is
// in. If it throws, it has its temporary name again.
void publish_file_durably(const std::filesystem::path& temporary, const std::filesystem::path& path);

// The whole file; Error{exhausted} if it holds more than limit_bytes, not_found if there is none.
std::string read_file(const std::filesystem::path& path, std::uint64_t limit_bytes);

// Removes a file durably; false if there was none.
bool remove_file(const std::filesystem::path& path);

// Removes a folder, or a file, and all that is in it; nothing there is nothing done. First it loses its name, so that a
// crash leaves no part of it under that one; what is left then is named *.tmp.
void remove_tree(const std::filesystem::path& path);

// Makes the folder and its missing parents durably, mode 0700. A folder that exists is left as it is.
void make_folder(const std::filesystem::path& path);

// fsync of a folder: makes the names in it durable.
void sync_folder(const std::filesystem::path& folder);

// The suffix of unfinished files; they are named by nothing and may be removed at start.
inline constexpr std::string_view kTemporarySuffix = ".tmp";

// An exclusive lock on a file, held as long as the object lives (flock: the kernel lets go if the process dies).
class FileLock {
 public:
  // Error{busy} naming the holder if another process (or this one) has it.
  explicit FileLock(const std::filesystem::path& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace conceptd
