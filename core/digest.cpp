#include "core/digest.h"

#include <openssl/evp.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include "core/error.h"

namespace conceptd {

struct Sha256::Context {
  EVP_MD_CTX* evp = nullptr;
  ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  context_->evp = EVP_MD_CTX_new();
  if (!context_->evp || EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr) != 1)
    throw Error(Code::internal, "SHA-256: OpenSSL could not start a digest");
}

Sha256::~Sha256() = default;

Sha256& Sha256::update(std::string_view bytes) {
  if (EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()) != 1)
    throw Error(Code::internal, "SHA-256: OpenSSL could not take the bytes");
  return *this;
}

Digest Sha256::finish() {
  std::array<std::uint8_t, Digest::kBytes> out{};
  if (EVP_DigestFinal_ex(context_->evp, out.data(), nullptr) != 1)
    throw Error(Code::internal, "SHA-256: OpenSSL could not finish a digest");
  return Digest(out);
}

Digest Digest::of(std::string_view bytes) { return Sha256().update(bytes).finish(); }

Digest Digest::of_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(Code::unavailable, "reading " + path.string() + ": " + std::strerror(errno));
  Sha256 sha;
  std::vector<char> piece(1 << 20);
  while (in) {
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    sha.update({piece.data(), static_cast<std::size_t>(in.gcount())});
  }
  if (in.bad()) throw Error(Code::unavailable, "reading " + path.string() + ": " + std::strerror(errno));
  return sha.finish();
}

Digest Digest::parse(std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with("sha256:")) digits.remove_prefix(7);
  const auto raw = digits.size() == 2 * kBytes ? from_hex(digits) : std::nullopt;
  if (!raw) throw Error(Code::invalid, "not a SHA-256 digest: '" + std::string(text.substr(0, 80)) + "'");
  return from_raw(*raw);
}

Digest Digest::from_raw(std::string_view raw) {
  if (raw.size() != kBytes) throw Error(Code::corrupt, "a digest of " + std::to_string(raw.size()) + " bytes");
  Digest digest;
  std::memcpy(digest.bytes_.data(), raw.data(), kBytes);
  return digest;
}

std::string Digest::hex() const { return to_hex(raw()); }
std::string Digest::short_hex() const { return hex().substr(0, 12); }
std::string Digest::tagged() const { return "sha256:" + hex(); }
std::string_view Digest::raw() const { return {reinterpret_cast<const char*>(bytes_.data()), kBytes}; }

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    text += kDigits[static_cast<std::uint8_t>(byte) >> 4];
    text += kDigits[static_cast<std::uint8_t>(byte) & 15];
  }
  return text;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  const auto value = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = value(text[i]);
    const int low = value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

}  // namespace conceptd
