#include "core/pack/signature.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>

#include "core/digest.h"
#include "core/error.h"
#include "core/secret.h"

namespace conceptd::pack {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;
using Buffer = std::unique_ptr<BIO, decltype(&BIO_free)>;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

[[noreturn]] void cannot(const std::string& what) { throw Error(Code::internal, "Ed25519: OpenSSL could not " + what); }

Key public_key_of(const std::string& raw) {
  return {EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(raw), raw.size()), EVP_PKEY_free};
}

Key private_key_of(const std::string& raw) {
  Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, bytes_of(raw), raw.size()), EVP_PKEY_free);
  if (!key) cannot("take the key");
  return key;
}

using ReadRaw = int (*)(const EVP_PKEY*, unsigned char*, std::size_t*);

// Empty if it is no Ed25519 key.
std::string raw_of(const EVP_PKEY* key, ReadRaw read) {
  std::string raw(PublicKey::kBytes, '\0');
  std::size_t size = raw.size();
  if (!key || EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519 || read(key, bytes_of(raw), &size) != 1) return {};
  return raw;
}

std::string text_of(BIO* buffer) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(buffer, &data);
  return {data, static_cast<std::size_t>(size)};
}

// Or OpenSSL would ask a terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

}  // namespace

PublicKey PublicKey::parse(std::string_view hex, const std::string& field) {
  std::optional<std::string> raw = from_hex(hex);
  if (!raw || raw->size() != kBytes) throw Error(Code::invalid, "a public key is 64 hex digits here", field);
  return PublicKey(*std::move(raw));
}

PublicKey PublicKey::from_pem(std::string_view pem, const std::string& from, const std::string& field) {
  const Buffer buffer(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  const Key key(PEM_read_bio_PUBKEY(buffer.get(), nullptr, no_passphrase, nullptr), EVP_PKEY_free);
  std::string raw = raw_of(key.get(), EVP_PKEY_get_raw_public_key);
  if (raw.empty())
    throw Error(Code::invalid,
                from + " holds no Ed25519 public key (PEM); conceptctl pack keygen makes one, in FOLDER/pack.pub",
                field);
  return PublicKey(std::move(raw));
}

std::string PublicKey::pem() const {
  const Buffer buffer(BIO_new(BIO_s_mem()), BIO_free);
  if (PEM_write_bio_PUBKEY(buffer.get(), public_key_of(raw_).get()) != 1) cannot("write a public key");
  return text_of(buffer.get());
}

std::string PublicKey::hex() const { return to_hex(raw_); }

bool PublicKey::verifies(std::string_view message, std::string_view signature) const {
  const Key key = public_key_of(raw_);
  const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  return key && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message), message.size()) == 1;
}

PrivateKey PrivateKey::make() { return PrivateKey(random_bytes(PublicKey::kBytes)); }

PrivateKey PrivateKey::from_pem(std::string_view pem, const std::string& from, const std::string& field) {
  const Buffer buffer(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  const Key key(PEM_read_bio_PrivateKey(buffer.get(), nullptr, no_passphrase, nullptr), EVP_PKEY_free);
  std::string raw = raw_of(key.get(), EVP_PKEY_get_raw_private_key);
  if (raw.empty())
    throw Error(Code::invalid,
                from +
                    " holds no Ed25519 private key without a passphrase (PEM); conceptctl pack keygen makes one, in "
                    "FOLDER/pack.key",
                field);
  return PrivateKey(std::move(raw));
}

std::string PrivateKey::pem() const {
  const Buffer buffer(BIO_new(BIO_s_secmem()), BIO_free);
  if (PEM_write_bio_PrivateKey(buffer.get(), private_key_of(raw_).get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    cannot("write a private key");
  return text_of(buffer.get());
}

PublicKey PrivateKey::public_key() const {
  return PublicKey(raw_of(private_key_of(raw_).get(), EVP_PKEY_get_raw_public_key));
}

std::string PrivateKey::sign(std::string_view message) const {
  const Key key = private_key_of(raw_);
  const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  std::string signature(PublicKey::kSignatureBytes, '\0');
  std::size_t size = signature.size();
  if (EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), bytes_of(signature), &size, bytes_of(message), message.size()) != 1)
    cannot("sign");
  return signature;
}

}  // namespace conceptd::pack
