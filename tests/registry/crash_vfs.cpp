#include "tests/registry/crash_vfs.h"

#include <sqlite3.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "core/error.h"
#include "core/file_io.h"
#include "tests/registry/power_shadow.h"

namespace conceptd::registry::test {
namespace {

sqlite3_vfs* g_real = nullptr;
Decide g_decide;
std::unique_ptr<PowerShadow> g_shadow;
unsigned g_steps = 0;
int (*g_open_directory)(const char*, int*) = nullptr;

constexpr int kDied = 42;

Fate decide(std::string_view kind) {
  ++g_steps;
  const Fate fate = g_decide(kind);
  if (fate != Fate::power_loss && fate != Fate::torn_power) return fate;
  g_shadow->lose_power(fate == Fate::torn_power ? std::optional(g_steps) : std::nullopt);
  ::_exit(kDied);
}

// What SQLite is told, or SQLITE_OK where the step happens.
int result_of(Fate fate) {
  switch (fate) {
    case Fate::death:
    case Fate::half_death:
      ::_exit(kDied);
    case Fate::io_error:
      return SQLITE_IOERR;
    case Fate::disk_full:
    case Fate::short_write:
      return SQLITE_FULL;
    case Fate::happens:
    case Fate::power_loss:
    case Fate::torn_power:
      break;
  }
  return SQLITE_OK;
}

void ask_for_ours(const DurableStep& step) {
  switch (decide(step.kind)) {
    case Fate::death:
    case Fate::half_death:
      ::_exit(kDied);
    case Fate::io_error:
      throw Error(Code::unavailable, "input/output error");
    case Fate::disk_full:
    case Fate::short_write:
      throw Error(Code::unavailable, "no space left on device");
    case Fate::happens:
    case Fate::power_loss:
    case Fate::torn_power:
      break;
  }
  if (g_shadow && step.kind.starts_with("fsync")) g_shadow->synced(step.path);  // nothing else runs until it is
}

// Of SQLite's Unix layer: it opens a folder to sync it, and for nothing else.
int open_directory(const char* path, int* fd) {
  const int result = g_open_directory(path, fd);
  if (result == SQLITE_OK) g_shadow->synced(std::filesystem::path(path).parent_path());
  return result;
}

// SQLite allocates szOsFile bytes: our head, then the real file behind it.
struct File {
  sqlite3_file base;
  PowerShadow::Key key;
  bool watched;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

sqlite3_file* real(sqlite3_file* file) { return reinterpret_cast<File*>(file)->real(); }
File* watched(sqlite3_file* file) {
  return reinterpret_cast<File*>(file)->watched ? reinterpret_cast<File*>(file) : nullptr;
}

int close(sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); }
int read(sqlite3_file* f, void* to, int count, sqlite3_int64 at) {
  return real(f)->pMethods->xRead(real(f), to, count, at);
}
int write(sqlite3_file* f, const void* from, int count, sqlite3_int64 at) {
  const Fate fate = decide("sqlite-write");
  if (fate == Fate::half_death || fate == Fate::short_write) real(f)->pMethods->xWrite(real(f), from, count / 2, at);
  if (fate == Fate::io_error) return SQLITE_IOERR_WRITE;
  if (const int result = result_of(fate); result != SQLITE_OK) return result;
  if (const File* file = watched(f))
    g_shadow->wrote(file->key, at, {static_cast<const char*>(from), static_cast<std::size_t>(count)});
  return real(f)->pMethods->xWrite(real(f), from, count, at);
}
int truncate(sqlite3_file* f, sqlite3_int64 size) {
  if (const int result = result_of(decide("sqlite-truncate")); result != SQLITE_OK) return SQLITE_IOERR_TRUNCATE;
  if (const File* file = watched(f)) g_shadow->truncated(file->key, size);
  return real(f)->pMethods->xTruncate(real(f), size);
}
int sync(sqlite3_file* f, int flags) {
  if (const int result = result_of(decide("sqlite-sync")); result != SQLITE_OK) return SQLITE_IOERR_FSYNC;
  if (const File* file = watched(f)) g_shadow->synced(file->key);
  return real(f)->pMethods->xSync(real(f), flags);
}
int file_size(sqlite3_file* f, sqlite3_int64* size) { return real(f)->pMethods->xFileSize(real(f), size); }
int lock(sqlite3_file* f, int kind) { return real(f)->pMethods->xLock(real(f), kind); }
int unlock(sqlite3_file* f, int kind) { return real(f)->pMethods->xUnlock(real(f), kind); }
int check_lock(sqlite3_file* f, int* result) { return real(f)->pMethods->xCheckReservedLock(real(f), result); }
int control(sqlite3_file* f, int op, void* argument) { return real(f)->pMethods->xFileControl(real(f), op, argument); }
int sector(sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); }
int traits(sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); }
int shm_map(sqlite3_file* f, int page, int size, int extend, void volatile** to) {
  return real(f)->pMethods->xShmMap(real(f), page, size, extend, to);
}
int shm_lock(sqlite3_file* f, int offset, int count, int flags) {
  return real(f)->pMethods->xShmLock(real(f), offset, count, flags);
}
void shm_barrier(sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); }
int shm_unmap(sqlite3_file* f, int remove) { return real(f)->pMethods->xShmUnmap(real(f), remove); }

const sqlite3_io_methods kMethods = {2,        close,       read,       write,   truncate, sync,   file_size,
                                     lock,     unlock,      check_lock, control, sector,   traits, shm_map,
                                     shm_lock, shm_barrier, shm_unmap,  nullptr, nullptr};

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  file->pMethods = nullptr;
  reinterpret_cast<File*>(file)->watched = false;
  const int result = g_real->xOpen(g_real, name, real(file), flags, flags_out);
  if (real(file)->pMethods) file->pMethods = &kMethods;
  if (result == SQLITE_OK && g_shadow && name) {
    reinterpret_cast<File*>(file)->key = g_shadow->watch(name);
    reinterpret_cast<File*>(file)->watched = true;
  }
  return result;
}

int remove(sqlite3_vfs*, const char* name, int sync_folder) {
  if (const int result = result_of(decide("sqlite-delete")); result != SQLITE_OK) return SQLITE_IOERR_DELETE;
  return g_real->xDelete(g_real, name, sync_folder);
}

}  // namespace

void install_fates(Decide decides, const std::filesystem::path& root) {
  static sqlite3_vfs layer;
  g_decide = std::move(decides);
  set_durable_step_hook(ask_for_ours);
  g_real = sqlite3_vfs_find(nullptr);
  layer = *g_real;
  layer.zName = "crash";
  layer.szOsFile = static_cast<int>(sizeof(File)) + g_real->szOsFile;
  layer.pNext = nullptr;
  layer.xOpen = open;
  layer.xDelete = remove;
  sqlite3_vfs_register(&layer, 1);
  if (root.empty()) return;
  g_shadow = std::make_unique<PowerShadow>(root);
  g_open_directory = reinterpret_cast<int (*)(const char*, int*)>(g_real->xGetSystemCall(g_real, "openDirectory"));
  g_real->xSetSystemCall(g_real, "openDirectory", reinterpret_cast<sqlite3_syscall_ptr>(open_directory));
}

}  // namespace conceptd::registry::test
