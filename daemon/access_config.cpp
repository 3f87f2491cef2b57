#include "daemon/access_config.h"

#include <grp.h>
#include <pwd.h>

#include <charconv>
#include <utility>

#include "core/error.h"
#include "daemon/http_header.h"

namespace conceptd::daemon {
namespace {

using registry::Role;

Error wrong(const std::string& setting, const std::string& why) { return Error(Code::invalid, setting + ": " + why); }

Grant grant_for(const std::string& whom, Role role, const std::string& setting) {
  Grant grant{.is_group = whom.starts_with('@'), .role = role};
  const std::string name = whom.substr(grant.is_group ? 1 : 0);
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), grant.id);
  if (!name.empty() && error == std::errc() && end == name.data() + name.size()) return grant;
  // At start, before there is a second thread.
  const passwd* user = grant.is_group ? nullptr : ::getpwnam(name.c_str());
  const group* group = grant.is_group ? ::getgrnam(name.c_str()) : nullptr;
  if (!user && !group)
    throw wrong(setting, "there is no " + std::string(grant.is_group ? "group" : "user") + " called '" + name +
                             "' (a group is written @name)");
  grant.id = user ? user->pw_uid : group->gr_gid;
  return grant;
}

}  // namespace

AccessRules access_rules(const Config& config) {
  AccessRules rules;
  const std::pair<const std::vector<std::string>&, Role> lists[] = {{config.access.admins, Role::admin},
                                                                    {config.access.operators, Role::operator_},
                                                                    {config.access.creators, Role::creator},
                                                                    {config.access.viewers, Role::viewer}};
  for (const auto& [names, role] : lists)
    for (const std::string& whom : names)
      rules.grants.push_back(grant_for(whom, role, "access." + std::string(to_string(role)) + "s"));
  try {
    rules.others = registry::role_from_string(config.access.others);
  } catch (const Error& error) {
    throw wrong("access.others", error.what());
  }
  for (const std::string& host : config.tcp.hosts) {
    if (const std::string name = host_name_of(host); !name.empty() && host.find(':') == std::string::npos)
      rules.hosts.push_back(name);
    else if (net::is_ip_address(host))
      rules.hosts.push_back(host);
    else
      throw wrong("tcp.hosts", "'" + host + "' is not the name of a host; write it without a port");
  }
  if (const auto listener = tcp_listener(config)) {
    rules.hosts.push_back(listener->at.host);
    if (net::is_loopback(listener->at.host)) rules.hosts.emplace_back("localhost");
  }
  return rules;
}

std::optional<TcpListener> tcp_listener(const Config& config) {
  const TcpConfig& tcp = config.tcp;
  if (tcp.listen.empty()) {
    if (!tcp.certificate.empty() || !tcp.key.empty() || tcp.insecure_loopback || !tcp.hosts.empty())
      throw wrong("tcp.listen", "it is missing, and without it the rest of [tcp] means nothing");
    return std::nullopt;
  }
  TcpListener listener{.at = net::parse_host_port(tcp.listen, "tcp.listen"), .tls = {}};
  if (!net::is_ip_address(listener.at.host))
    throw wrong("tcp.listen", "'" + listener.at.host + "' is a name; write the IP address to listen at");
  if (net::is_unspecified(listener.at.host) && tcp.hosts.empty())
    throw wrong("tcp.hosts", "who listens at " + listener.at.host + " says by which names clients call it");
  if (tcp.certificate.empty() != tcp.key.empty())
    throw wrong(tcp.key.empty() ? "tcp.key" : "tcp.certificate", "it is missing; TLS needs a certificate and its key");
  if (!tcp.certificate.empty() && tcp.insecure_loopback)
    throw wrong("tcp.insecure_loopback", "it is for a listener without TLS, and there is a certificate");
  if (!tcp.certificate.empty()) {
    listener.tls = net::TlsFiles{.certificate = tcp.certificate, .key = tcp.key};
    net::check_tls_files(*listener.tls);
  } else if (!net::is_loopback(listener.at.host)) {
    throw wrong("tcp.certificate",
                "only a loopback address is listened at without TLS; name a certificate and its key");
  } else if (!tcp.insecure_loopback) {
    throw wrong(
        "tcp.insecure_loopback",
        "without a certificate this machine's users could listen in; name one, or say insecure_loopback = true");
  }
  return listener;
}

}  // namespace conceptd::daemon
