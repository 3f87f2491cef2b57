#include "core/net/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "core/log.h"
#include "core/net/address.h"

namespace conceptd::net {
namespace {

namespace fs = std::filesystem;
namespace ssl = boost::asio::ssl;
using boost::system::error_code;

constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";  // of 1.2; those of 1.3 are all good

TlsContext context_for(ssl::context::method method) {
  auto context = std::make_shared<ssl::context>(method);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context->native_handle(), kCiphers);
  SSL_CTX_set_options(context->native_handle(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  return context;
}

// Whoever reads the key is the daemon to everybody.
void check_key_is_private(const fs::path& key) {
  struct stat info {};
  if (::stat(key.c_str(), &info) != 0 || ::access(key.c_str(), R_OK) != 0)
    throw Error(Code::invalid, "cannot read " + key.string() + ": " + std::strerror(errno), "tcp.key");
  if (info.st_uid != ::geteuid() && info.st_uid != 0)
    throw Error(Code::invalid,
                key.string() + " belongs to another user, who could change it; chown it to the daemon's user",
                "tcp.key");
  if ((info.st_mode & 077) != 0)
    throw Error(Code::invalid,
                key.string() + " may be read by others than its owner; make it private: chmod 600 " + key.string(),
                "tcp.key");
}

void check_use(const error_code& error, const std::string& what, const fs::path& file, const std::string& field) {
  if (error) throw Error(Code::invalid, what + " " + file.string() + ": " + error.message(), field);
}

}  // namespace

TlsContext server_tls(const TlsFiles& files) {
  check_key_is_private(files.key);
  TlsContext context = context_for(ssl::context::tls_server);
  error_code error;
  context->use_certificate_chain_file(files.certificate.string(), error);
  check_use(error, "cannot use the certificate", files.certificate, "tcp.certificate");
  // Or OpenSSL would ask a terminal that nobody sits at.
  context->set_password_callback([](std::size_t, ssl::context::password_purpose) { return std::string(); }, error);
  context->use_private_key_file(files.key.string(), ssl::context::pem, error);
  check_use(error, "cannot use the key (it is PEM, without a passphrase, and of that certificate)", files.key,
            "tcp.key");
  if (SSL_CTX_check_private_key(context->native_handle()) != 1)
    throw Error(Code::invalid, files.key.string() + " is not the key of " + files.certificate.string(), "tcp.key");
  const X509* certificate = SSL_CTX_get0_certificate(context->native_handle());
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
    spdlog::warn("the certificate {} has expired; clients will not trust it", files.certificate.string());
  return context;
}

void check_tls_files(const TlsFiles& files) { server_tls(files); }

TlsContext client_tls(const fs::path& authorities) {
  TlsContext context = context_for(ssl::context::tls_client);
  context->set_verify_mode(ssl::verify_peer);
  error_code error;
  if (authorities.empty())
    context->set_default_verify_paths(error);
  else
    context->load_verify_file(authorities.string(), error);
  check_use(error, "cannot use the certificates of authorities in", authorities, "ca");
  return context;
}

void expect_host(SSL* connection, const std::string& host) {
  if (is_ip_address(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), host.c_str());
    return;
  }
  SSL_set1_host(connection, host.c_str());
  SSL_set_tlsext_host_name(connection, host.c_str());
}

std::string fault_in_certificate(const SSL* connection) {
  const long result = SSL_get_verify_result(connection);
  return result == X509_V_OK ? std::string() : X509_verify_cert_error_string(result);
}

}  // namespace conceptd::net
