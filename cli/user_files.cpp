#include "cli/user_files.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "cli/text.h"
#include "core/error.h"
#include "core/file_io.h"

namespace conceptd::cli {
namespace {

namespace fs = std::filesystem;

Error cannot(const std::string& doing, const fs::path& path, int error, const std::string& field) {
  const bool full = error == ENOSPC || error == EDQUOT;
  return Error(full ? Code::unavailable : Code::invalid,
               "cannot " + doing + " " + path.string() + ": " + std::strerror(error) +
                   (full ? "; make room, or choose another place" : "; choose another place"),
               field);
}

}  // namespace

std::string read_user_file(const fs::path& path, std::uint64_t limit_bytes) {
  try {
    return read_file(path, limit_bytes);
  } catch (const Error& error) {
    if (error.code() != Code::unavailable) throw;
    throw Error(Code::invalid, error.what(), error.field());
  }
}

void prepare_output(const fs::path& path, const std::string& field) {
  std::error_code failed, ignored;
  const bool folder = !path.has_filename() || fs::is_directory(path, ignored);
  const fs::path where = folder ? path : path.has_parent_path() ? path.parent_path() : fs::path(".");
  fs::create_directories(where, failed);
  if (failed) throw cannot("make the folder", where, failed.value(), field);
  if (!folder && fs::exists(path, ignored)) {
    if (::access(path.c_str(), W_OK) != 0) throw cannot("write to", path, errno, field);
  } else if (::access(where.c_str(), W_OK | X_OK) != 0) {
    throw cannot("write into the folder", where, errno, field);
  }
}

void write_output(const fs::path& path, const std::string& bytes, const std::string& field) {
  errno = 0;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << bytes << std::flush;
  if (!file) throw cannot("write", path, errno != 0 ? errno : EIO, field);
}

}  // namespace conceptd::cli
