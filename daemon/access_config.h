// [access] and [tcp] of the configuration as a daemon needs them: names looked up, files tried. Both throw
// Error{invalid} that begins with the setting at fault.
#pragma once
#include <optional>

#include "core/net/address.h"
#include "core/net/tls_files.h"
#include "daemon/access.h"
#include "daemon/config.h"

namespace conceptd::daemon {

// "alice" is a user, "@conceptd" a group; a number is taken as it is. Hosts are those of tcp.hosts and the listener's
// own address, with "localhost" where that is a loopback one.
AccessRules access_rules(const Config& config);

struct TcpListener {
  net::HostPort at{};
  std::optional<net::TlsFiles> tls{};  // empty: plain, on a loopback address, and the configuration says so
};

std::optional<TcpListener> tcp_listener(const Config& config);  // empty: no network

}  // namespace conceptd::daemon
