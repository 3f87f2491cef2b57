#include "registry/blob_store.h"

#include "core/error.h"
#include "core/file_io.h"

namespace conceptd::registry {
namespace fs = std::filesystem;

fs::path BlobStore::path_of(const Digest& digest) const {
  const std::string hex = digest.hex();
  return root_ / hex.substr(0, 2) / hex;
}

Digest BlobStore::put(std::string_view bytes) const {
  const Digest digest = Digest::of(bytes);
  const fs::path path = path_of(digest);
  if (verify(digest)) {
    sync_folder(path.parent_path());  // the put that made it may have died before this
  } else {
    make_folder(path.parent_path());
    write_file_durably(path, bytes);
  }
  return digest;
}

std::string BlobStore::open(const Digest& digest, std::uint64_t limit_bytes) const {
  std::string bytes = read_file(path_of(digest), limit_bytes);
  if (Digest::of(bytes) != digest)
    throw Error(Code::corrupt, path_of(digest).string() + " is damaged: its bytes do not match its name");
  return bytes;
}

bool BlobStore::verify(const Digest& digest) const {
  const fs::path path = path_of(digest);
  return fs::is_regular_file(fs::symlink_status(path)) && Digest::of_file(path) == digest;
}

bool BlobStore::holds(const Digest& digest) const { return fs::is_regular_file(fs::symlink_status(path_of(digest))); }

bool BlobStore::holds(const Digest& digest, std::int64_t size_bytes) const {
  std::error_code failed;
  return holds(digest) && fs::file_size(path_of(digest), failed) == static_cast<std::uintmax_t>(size_bytes) && !failed;
}

bool BlobStore::remove(const Digest& digest) const { return remove_file(path_of(digest)); }

std::vector<Digest> BlobStore::list() const {
  std::vector<Digest> found;
  if (!fs::exists(root_)) return found;
  for (const auto& entry : fs::recursive_directory_iterator(root_)) {
    const std::optional<std::string> raw = from_hex(entry.path().filename().string());
    if (!raw || raw->size() != Digest::kBytes) continue;
    const Digest digest = Digest::from_raw(*raw);
    if (entry.path() == path_of(digest)) found.push_back(digest);
  }
  return found;
}

int BlobStore::sweep_unfinished() const {
  int count = 0;
  if (!fs::exists(root_)) return 0;
  for (const auto& entry : fs::recursive_directory_iterator(root_))
    if (entry.is_regular_file() && entry.path().extension() == kTemporarySuffix) count += remove_file(entry.path());
  return count;
}

}  // namespace conceptd::registry
