// What a disk would still hold if the power failed now: of each file what was last synced, of each folder the names
// that it had when it was last synced. Everything later is in a cache, and any part of it may have been written all the
// same.
//
// Modelled: unsynced writes and truncations of SQLite's, by sector and in any order; unsynced files of ours; names that
// were made, moved or removed and whose folder was not synced since. Not modelled: a disk that says "synced" and has
// not, sectors that rot, a file system that damages itself, and what other folders than the one given hold.
#pragma once
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace conceptd::registry::test {

class PowerShadow {
 public:
  using Key = std::pair<dev_t, ino_t>;  // of a file or folder, whatever it is called

  // The folder itself is durable, and empty.
  explicit PowerShadow(std::filesystem::path root);

  // For files whose writes are told one by one; the key is good for the life of this object.
  Key watch(const std::filesystem::path& path);
  void wrote(Key file, std::int64_t at, std::string_view bytes);
  void truncated(Key file, std::int64_t size);
  void synced(Key file);
  // fsync of a file or folder by its name: all that it holds now is durable.
  void synced(const std::filesystem::path& path);

  // The folder becomes what the disk holds: nothing that was not synced, or, with a seed, a random part of it.
  void lose_power(std::optional<unsigned> seed);

 private:
  struct Change {
    std::int64_t at = 0;  // or the new size
    std::string bytes{};
    bool truncates = false;
  };
  struct File {
    int held = -1;  // so that the kernel gives its number to no other file
    std::string durable{};
    std::vector<Change> pending{};
    bool watched = false;
  };
  struct Entry {
    Key key{};
    bool is_folder = false;
    bool operator==(const Entry&) const = default;
  };
  using Names = std::map<std::string, Entry>;
  using Tree = std::map<std::filesystem::path, std::optional<std::string>>;  // bytes; none: a folder

  File& file_of(Key key, const std::filesystem::path& path);
  std::filesystem::path path_of(Key key) const;
  Names names_in(const std::filesystem::path& folder);
  Names names_left(Key folder);
  std::string bytes_left(Key file);
  void gather(Key folder, const std::filesystem::path& at, Tree& tree);
  bool coin() { return random_ && (*random_)() % 2 == 0; }

  const std::filesystem::path root_;
  std::map<Key, File> files_;
  std::map<Key, Names> folders_;  // durable
  std::optional<std::mt19937> random_;
};

}  // namespace conceptd::registry::test
