#include "daemon/access.h"

#include <unistd.h>

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "core/log.h"
#include "daemon/http_header.h"
#include "daemon/routes.h"
#include "registry/token_store.h"

namespace conceptd::daemon {
namespace {

using registry::Role;
using registry::TokenStore;

constexpr std::chrono::seconds kRefusalsLoggedEvery{10};

bool is_secret_character(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

// URLs are kept by proxies, histories and logs.
bool holds_a_secret(const std::string& target) {
  for (std::size_t at = target.find(TokenStore::kPrefix); at != std::string::npos;
       at = target.find(TokenStore::kPrefix, at + 1)) {
    const auto from = target.begin() + static_cast<std::ptrdiff_t>(at + TokenStore::kPrefix.size());
    const auto to = std::find_if_not(from, target.end(), is_secret_character);
    if (static_cast<std::size_t>(to - from) + TokenStore::kPrefix.size() >= TokenStore::kSecretSize) return true;
  }
  return false;
}

// "Bearer cpt_..."; empty if none was sent.
std::optional<std::string_view> secret_in(std::string_view authorization) {
  if (authorization.empty()) return std::nullopt;
  constexpr std::string_view kScheme = "bearer ";
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; };
  if (authorization.size() <= kScheme.size() ||
      !std::equal(kScheme.begin(), kScheme.end(), authorization.begin(), [&](char b, char a) { return same(a, b); }))
    throw Error(Code::unauthenticated, "the only Authorization that counts here is: Bearer TOKEN");
  return authorization.substr(kScheme.size());
}

bool is_write(const std::string& method) { return method != "GET" && method != "HEAD"; }

HttpResponse refusal(const Error& error) {
  HttpResponse response = error_response(error);
  if (error.code() == Code::unauthenticated) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace

Role Access::role_of(const LocalUser& user) const {
  if (user.uid == 0 || user.uid == ::geteuid()) return Role::admin;
  std::optional<Role> named, grouped;
  for (const Grant& grant : rules_.grants) {
    if (!grant.is_group && grant.id == user.uid) named = std::max(named.value_or(grant.role), grant.role);
    if (grant.is_group && std::find(user.groups.begin(), user.groups.end(), grant.id) != user.groups.end())
      grouped = std::max(grouped.value_or(grant.role), grant.role);
  }
  return named ? *named : grouped.value_or(rules_.others);
}

Caller Access::caller_of(const HttpHead& head, const HttpPeer& peer) const {
  if (const auto secret = secret_in(head.authorization)) {
    const registry::Token token = tokens_.authenticate(*secret);
    return {.name = "token:" + token.name, .role = token.role, .token = token.id};
  }
  if (peer.local) return {.name = peer.local->name, .role = role_of(*peer.local), .token = {}};
  throw Error(Code::unauthenticated,
              "over the network a request needs a token (Authorization: Bearer cpt_..., conceptctl --token-file FILE); "
              "an admin makes one: conceptctl token create");
}

void Access::check_host(const HttpHead& head, const HttpPeer& peer) const {
  const auto is_ours = [&](const std::string& name) {
    return !name.empty() && std::find(rules_.hosts.begin(), rules_.hosts.end(), name) != rules_.hosts.end();
  };
  if (!peer.local && !is_ours(host_name_of(head.host)))
    throw Error(Code::forbidden,
                "this daemon does not go by the name in Host; whoever runs it can add the name to tcp.hosts", "Host");
  if (is_write(head.method) && !head.origin.empty() && !is_ours(host_name_of_origin(head.origin)))
    throw Error(Code::forbidden, "a web page of another origin may change nothing here", "Origin");
}

Admission Access::admit(const HttpHead& head, const HttpPeer& peer, const RouteNeeds& needs) const {
  try {
    check_host(head, peer);
    if (needs.open) return {.refused = {}, .caller = {}, .body_bytes_max = needs.body_bytes_max};
    if (holds_a_secret(head.target))
      throw Error(Code::invalid,
                  "a token never stands in a URL, which others keep: send it as Authorization: Bearer, and revoke this "
                  "one (conceptctl token revoke)");
    const Caller caller = caller_of(head, peer);
    if (caller.role < needs.role)
      throw Error(Code::forbidden, head.method + " " + head.path + " is for the role " +
                                       std::string(to_string(needs.role)) + ", and " + caller.name + " is " +
                                       std::string(to_string(caller.role)) + "; an admin can give another role");
    return {.refused = {}, .caller = caller, .body_bytes_max = needs.body_bytes_max};
  } catch (const Error& error) {
    log_refusal(peer, error.what());
    return {.refused = refusal(error), .caller = {}, .body_bytes_max = 0};
  }
}

void Access::log_refusal(const HttpPeer& peer, const std::string& why) const {
  const std::lock_guard lock(log_mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (logged_ != std::chrono::steady_clock::time_point() && now - logged_ < kRefusalsLoggedEvery) {
    ++unlogged_;
    return;
  }
  spdlog::warn("refused {}: {}{}", peer.address, why,
               unlogged_ > 0 ? " (and " + std::to_string(unlogged_) + " since the last such line)" : "");
  logged_ = now;
  unlogged_ = 0;
}

void require_own(const Caller& caller, const std::string& owner, const std::string& what) {
  if (caller.role >= Role::operator_ || caller.name == owner) return;
  throw Error(Code::forbidden, what + " is " + owner + "'s, and " + caller.name + " is " +
                                   std::string(to_string(caller.role)) + "; for what is others' the role is operator");
}

}  // namespace conceptd::daemon
