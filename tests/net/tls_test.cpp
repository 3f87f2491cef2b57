// Goal: what a daemon could not, or should not, serve with is found at start and named.
#include "core/net/tls.h"

#include "tests/support/certificate.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_folder.h"

namespace conceptd::net {
namespace {

class TlsFilesOfASite : public testing::Test {
 protected:
  test::TempFolder folder_;
  const test::Certificate made_ = test::make_certificate(folder_.path(), "site");
  const TlsFiles files_{.certificate = made_.certificate, .key = made_.key};
};

TEST_F(TlsFilesOfASite, AreTaken) {
  EXPECT_NO_THROW(check_tls_files(files_));
  const TlsContext context = server_tls(files_);
  EXPECT_EQ(SSL_CTX_get_min_proto_version(context->native_handle()), TLS1_2_VERSION);
}

TEST_F(TlsFilesOfASite, AKeyThatOthersMayReadIsRefused) {
  for (const mode_t mode : {0644, 0640, 0601}) {
    ::chmod(made_.key.c_str(), mode);
    EXPECT_ERROR(check_tls_files(files_), Code::invalid, "chmod 600 " + made_.key.string());
  }
  ::chmod(made_.key.c_str(), 0400);
  EXPECT_NO_THROW(check_tls_files(files_));
}

TEST_F(TlsFilesOfASite, WhatCannotBeUsedIsNamed) {
  EXPECT_ERROR(check_tls_files({.certificate = folder_ / "none.pem", .key = made_.key}), Code::invalid, "none.pem");
  EXPECT_ERROR(check_tls_files({.certificate = made_.certificate, .key = folder_ / "none.key"}), Code::invalid,
               "cannot read " + (folder_ / "none.key").string());
  const test::Certificate other = test::make_certificate(folder_.path(), "other");
  EXPECT_ERROR(check_tls_files({.certificate = made_.certificate, .key = other.key}), Code::invalid,
               "of that certificate");
  test::plant(other.key, "not a key");
  EXPECT_ERROR(check_tls_files({.certificate = made_.certificate, .key = other.key}), Code::invalid, "other.key");
  EXPECT_ERROR(client_tls(folder_ / "none.pem"), Code::invalid, "none.pem");
}

TEST_F(TlsFilesOfASite, AKeyWithAPassphraseIsRefusedAndNobodyIsAsked) {
  const std::filesystem::path file = folder_ / "locked.key";
  EVP_PKEY* key = EVP_EC_gen("P-256");
  FILE* out = std::fopen(file.c_str(), "w");
  ASSERT_EQ(PEM_write_PrivateKey(out, key, EVP_aes_256_cbc(), nullptr, 0, nullptr, const_cast<char*>("secret")), 1);
  std::fclose(out);
  EVP_PKEY_free(key);
  ::chmod(file.c_str(), 0600);
  EXPECT_ERROR(check_tls_files({.certificate = made_.certificate, .key = file}), Code::invalid, "without a passphrase");
}

}  // namespace
}  // namespace conceptd::net
