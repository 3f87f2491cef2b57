// Ed25519 keys, as PEM files that openssl reads and writes too, and the signature of a pack.
#pragma once
#include <string>
#include <string_view>

namespace conceptd::pack {

class PublicKey {
 public:
  static constexpr std::size_t kBytes = 32, kSignatureBytes = 64;

  // 64 lower-case hex digits. Error{invalid, field}.
  static PublicKey parse(std::string_view hex, const std::string& field);
  // "-----BEGIN PUBLIC KEY-----". Error{invalid, field}, also for the key of another algorithm; `from` is its file.
  static PublicKey from_pem(std::string_view pem, const std::string& from, const std::string& field);
  std::string pem() const;
  std::string hex() const;
  bool verifies(std::string_view message, std::string_view signature) const;
  bool operator==(const PublicKey&) const = default;

 private:
  friend class PrivateKey;
  explicit PublicKey(std::string raw) : raw_(std::move(raw)) {}
  std::string raw_;
};

class PrivateKey {
 public:
  static PrivateKey make();  // of the system's randomness
  // "-----BEGIN PRIVATE KEY-----", without a passphrase. Error{invalid, field}, which never holds any of it.
  static PrivateKey from_pem(std::string_view pem, const std::string& from, const std::string& field);
  std::string pem() const;
  PublicKey public_key() const;
  std::string sign(std::string_view message) const;

 private:
  explicit PrivateKey(std::string raw) : raw_(std::move(raw)) {}
  std::string raw_;
};

}  // namespace conceptd::pack
