// Photos: immutable files named by the SHA-256 of their bytes, <root>/ab/abcdef.... A file is complete and durable
// before put() returns, so a row that names it can never name half a photo. Nothing here knows which rows name what.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"

namespace conceptd::registry {

class BlobStore {
 public:
  explicit BlobStore(std::filesystem::path root) : root_(std::move(root)) {}

  // The same bytes twice are one file; a file that has rotted is written again.
  Digest put(std::string_view bytes) const;
  // The bytes, hashed again: Error{not_found} if there is no such file, Error{corrupt} if they are not what they were.
  std::string open(const Digest& digest, std::uint64_t limit_bytes) const;
  bool verify(const Digest& digest) const;                          // the file is there and its bytes match
  bool holds(const Digest& digest) const;                           // the file is there
  bool holds(const Digest& digest, std::int64_t size_bytes) const;  // and has this size
  bool remove(const Digest& digest) const;                          // durably; false if there was none
  std::vector<Digest> list() const;                                 // all that are named as blobs are, in no order
  std::filesystem::path path_of(const Digest& digest) const;
  // Removes what a crash left unfinished. For the start, when nobody writes. Returns how many.
  int sweep_unfinished() const;

 private:
  const std::filesystem::path root_;
};

}  // namespace conceptd::registry
