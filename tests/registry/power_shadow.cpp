#include "tests/registry/power_shadow.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "tests/support/temp_folder.h"

namespace conceptd::registry::test {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kSector = 512;

PowerShadow::Key key_of(const fs::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) throw std::runtime_error("there is no " + path.string());
  return {info.st_dev, info.st_ino};
}

void put_at(std::string& bytes, std::size_t at, std::string_view piece) {
  if (bytes.size() < at + piece.size()) bytes.resize(at + piece.size(), '\0');
  bytes.replace(at, piece.size(), piece);
}

}  // namespace

PowerShadow::PowerShadow(fs::path root) : root_(std::move(root)) { synced(root_); }

PowerShadow::File& PowerShadow::file_of(Key key, const fs::path& path) {
  File& file = files_[key];
  if (file.held < 0) file.held = ::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (file.held < 0) throw std::runtime_error("cannot hold " + path.string());
  return file;
}

// A way to it whatever it is called now, and if it has no name any more.
fs::path PowerShadow::path_of(Key key) const { return "/proc/self/fd/" + std::to_string(files_.at(key).held); }

PowerShadow::Key PowerShadow::watch(const fs::path& path) {
  const Key key = key_of(path);
  File& file = file_of(key, path);
  // One that was written before it was watched, and not synced.
  if (!file.watched && file.durable.empty()) file.pending.push_back({.at = 0, .bytes = conceptd::test::contents(path)});
  file.watched = true;
  return key;
}

void PowerShadow::wrote(Key file, std::int64_t at, std::string_view bytes) {
  files_.at(file).pending.push_back({.at = at, .bytes = std::string(bytes)});
}

void PowerShadow::truncated(Key file, std::int64_t size) {
  files_.at(file).pending.push_back({.at = size, .truncates = true});
}

void PowerShadow::synced(Key key) {
  File& file = files_.at(key);
  for (const Change& change : file.pending)
    if (change.truncates)
      file.durable.resize(static_cast<std::size_t>(change.at), '\0');
    else
      put_at(file.durable, static_cast<std::size_t>(change.at), change.bytes);
  file.pending.clear();
}

void PowerShadow::synced(const fs::path& path) {
  const Key key = key_of(path);
  File& file = file_of(key, path);
  if (fs::is_directory(path)) {
    folders_[key] = names_in(path);
  } else {
    file.durable = conceptd::test::contents(path);
    file.pending.clear();
  }
}

PowerShadow::Names PowerShadow::names_in(const fs::path& folder) {
  Names names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const Key key = key_of(entry.path());
    file_of(key, entry.path());
    names[entry.path().filename().string()] = {.key = key, .is_folder = entry.is_directory()};
  }
  return names;
}

PowerShadow::Names PowerShadow::names_left(Key folder) {
  Names left = folders_[folder];
  if (!random_) return left;
  const Names now = names_in(path_of(folder)), before = left;
  for (const auto& [name, entry] : now)
    if (!(before.contains(name) && before.at(name) == entry) && coin()) left[name] = entry;
  for (const auto& [name, entry] : before) {
    if (now.contains(name)) continue;
    const auto has_it = [&, is = entry](const auto& other) { return other.first != name && other.second == is; };
    // Moving a folder is one step: it has one of its names.
    const bool moved = entry.is_folder && std::any_of(now.begin(), now.end(), has_it);
    if (moved ? std::any_of(left.begin(), left.end(), has_it) : coin()) left.erase(name);
  }
  return left;
}

std::string PowerShadow::bytes_left(Key key) {
  const File& file = files_.at(key);
  std::string left = file.durable;
  if (!random_) return left;
  std::vector<Change> pending = file.pending;
  if (!file.watched)
    if (std::string now = conceptd::test::contents(path_of(key)); now != left)
      pending.push_back({.at = 0, .bytes = std::move(now)});
  for (const Change& change : pending) {
    if (change.truncates) {
      if (coin()) left.resize(static_cast<std::size_t>(change.at), '\0');
      continue;
    }
    for (std::size_t at = 0; at < change.bytes.size(); at += kSector)
      if (coin())
        put_at(left, static_cast<std::size_t>(change.at) + at, std::string_view(change.bytes).substr(at, kSector));
  }
  return left;
}

void PowerShadow::gather(Key folder, const fs::path& at, Tree& tree) {
  for (const auto& [name, entry] : names_left(folder)) {
    tree[at / name] = entry.is_folder ? std::nullopt : std::optional(bytes_left(entry.key));
    if (entry.is_folder) gather(entry.key, at / name, tree);
  }
}

void PowerShadow::lose_power(std::optional<unsigned> seed) {
  if (seed) random_.emplace(*seed);
  Tree tree;
  gather(key_of(root_), root_, tree);
  for (const auto& entry : fs::directory_iterator(root_)) fs::remove_all(entry.path());
  for (const auto& [path, bytes] : tree)  // a folder sorts before what is in it
    if (bytes)
      conceptd::test::plant(path, *bytes);
    else
      fs::create_directory(path);
}

}  // namespace conceptd::registry::test
