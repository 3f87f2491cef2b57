// The one form of tar that packs have: POSIX ustar, regular files only, every field but name and size a constant. A
// header that differs from what TarWriter would have written for its name and size is refused, so that no two readers
// can see two things in one pack, and the same files are the same bytes.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace conceptd::pack {

inline constexpr std::size_t kTarNameMax = 99;  // bytes

struct TarEntry {
  std::string name{};
  std::string_view bytes{};  // of what the reader was given
};

// What is wrong is Error{invalid, "pack"}; the message names the entry.
class TarReader {
 public:
  explicit TarReader(std::string_view tar) : tar_(tar) {}
  // Empty once, at the very end: two blocks of zeros and nothing behind them.
  std::optional<TarEntry> next();

 private:
  std::string_view take(std::size_t size, const std::string& of_what);
  void check_end();

  std::string_view tar_;  // what has not been read
};

class TarWriter {
 public:
  // The name has 1 to kTarNameMax bytes.
  void add(std::string_view name, std::string_view bytes);
  std::string finish();

 private:
  std::string tar_;
};

}  // namespace conceptd::pack
