// TLS as both ends use it: version 1.2 or 1.3, ephemeral keys, authenticated ciphers, and a certificate that is looked
// at.
#pragma once
#include <boost/asio/ssl/context.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "core/net/tls_files.h"

namespace conceptd::net {

using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

// Error{invalid} with the file and what to do: one that cannot be read, a key that others than its owner may read or
// that belongs to somebody else, a key of another certificate. A certificate that has expired is logged.
TlsContext server_tls(const TlsFiles& files);

// Trusts the system's authorities, or only those in this PEM file. Error{invalid, "ca"} if it cannot be used.
TlsContext client_tls(const std::filesystem::path& authorities);

// Before the handshake of a client: which name or address the certificate must be for.
void expect_host(SSL* connection, const std::string& host);
// After it has failed: what was wrong with the certificate, "self-signed certificate"; empty: nothing.
std::string fault_in_certificate(const SSL* connection);

}  // namespace conceptd::net
