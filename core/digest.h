// SHA-256: the only name of a blob, a delta, a preview or a migration. Bytes are std::string / std::string_view
// throughout the torch-free rooms: they come from sockets and files and go to SQLite, and none of those knows better.
#pragma once
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace conceptd {

class Digest {
 public:
  static constexpr std::size_t kBytes = 32;

  Digest() = default;  // all zero: the digest of nothing we store
  explicit Digest(const std::array<std::uint8_t, kBytes>& bytes) : bytes_(bytes) {}

  static Digest of(std::string_view bytes);
  // Reads the file in pieces, so its size does not matter. Error{unavailable} if it cannot be read.
  static Digest of_file(const std::filesystem::path& path);
  // 64 lower-case hex digits, with or without "sha256:" before them; anything else is Error{invalid}.
  static Digest parse(std::string_view text);
  // 32 raw bytes, as the database keeps them; another length is Error{corrupt}.
  static Digest from_raw(std::string_view raw);

  std::string hex() const;        // 64 digits
  std::string short_hex() const;  // the first 12, for people
  std::string tagged() const;     // "sha256:" + hex(), for the wire
  std::string_view raw() const;   // the 32 bytes; a view into *this

  auto operator<=>(const Digest&) const = default;

 private:
  std::array<std::uint8_t, kBytes> bytes_{};
};

// Hashing in pieces. finish() may be called once.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  Sha256& update(std::string_view bytes);
  Digest finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string to_hex(std::string_view bytes);
std::optional<std::string> from_hex(std::string_view text);  // empty if a character is not a lower-case hex digit

}  // namespace conceptd

template <>
struct std::hash<conceptd::Digest> {
  std::size_t operator()(const conceptd::Digest& digest) const noexcept {
    return std::hash<std::string_view>{}(digest.raw());
  }
};
