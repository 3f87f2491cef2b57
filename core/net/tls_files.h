// Where a certificate and its key lie; apart from tls.h, so that whoever only names them sees no TLS.
#pragma once
#include <filesystem>

namespace conceptd::net {

struct TlsFiles {
  std::filesystem::path certificate{};  // PEM: the daemon's own, then those between it and the authority
  std::filesystem::path key{};          // PEM, without a passphrase
};

// Error{invalid}, naming tcp.certificate or tcp.key, if server_tls() could not use them now.
void check_tls_files(const TlsFiles& files);

}  // namespace conceptd::net
