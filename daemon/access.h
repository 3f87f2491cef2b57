// Who may do what. A request shows a token, or comes over the unix socket, where the kernel says whose process is at
// the other end; that makes a caller with a role, and the route says which role it needs. It is asked when the header
// of a request is there and before any of its body is read; nothing here waits or writes.
//
// Over the network also: without a token nothing but /healthz; the Host must be one of the daemon's names, or a web
// page whose name is made to mean this address could speak to it (DNS rebinding). Everywhere: a write that a web page
// of another origin has sent is refused, and so is a token in a URL.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/http_message.h"
#include "registry/role.h"

namespace conceptd::registry {
class TokenStore;
}

namespace conceptd::daemon {

// Of [access] in the configuration: this user, or whoever is in this group, has this role.
struct Grant {
  bool is_group = false;
  std::uint32_t id = 0;
  registry::Role role = registry::Role::viewer;
};

struct AccessRules {
  std::vector<Grant> grants{};
  registry::Role others = registry::Role::operator_;  // who may open the socket and is in no list
  std::vector<std::string> hosts{};                   // names of the daemon in the network, in lower case
};

// What a route needs of whoever asks.
struct RouteNeeds {
  bool open = false;  // to everybody: /healthz
  registry::Role role = registry::Role::viewer;
  std::size_t body_bytes_max = 0;
};

class Access {
 public:
  // The tokens outlive it.
  Access(AccessRules rules, const registry::TokenStore& tokens) : rules_(std::move(rules)), tokens_(tokens) {}

  Admission admit(const HttpHead& head, const HttpPeer& peer, const RouteNeeds& needs) const;
  // Root and the daemon's own user are admins. A user who is named has the role of the name, else the highest of the
  // groups, else that of the others.
  registry::Role role_of(const LocalUser& user) const;

 private:
  Caller caller_of(const HttpHead& head, const HttpPeer& peer) const;
  void check_host(const HttpHead& head, const HttpPeer& peer) const;
  void log_refusal(const HttpPeer& peer, const std::string& why) const;

  // Constant after construction.
  const AccessRules rules_;
  const registry::TokenStore& tokens_;

  // Guarded by log_mutex_: refusals are logged now and then, so that a flood of them is no flood of lines.
  mutable std::mutex log_mutex_;
  mutable std::chrono::steady_clock::time_point logged_{};
  mutable std::int64_t unlogged_ = 0;
};

// For a route that a creator may use on what is their own. Error{forbidden} unless it is, or the role is operator.
void require_own(const Caller& caller, const std::string& owner, const std::string& what);

}  // namespace conceptd::daemon
