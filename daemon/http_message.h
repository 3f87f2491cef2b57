// A request and its answer, without the library that carries them.
#pragma once
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "registry/role.h"

namespace conceptd::daemon {

// Who is at the other end of a unix socket, as the kernel knows it.
struct LocalUser {
  uid_t uid = 0;
  std::vector<gid_t> groups{};  // the process's own and its others
  std::string name{};           // "alice", or "uid 1000"
};

struct HttpPeer {
  std::string address{};             // "192.0.2.7"; of a unix socket "uid 1000"
  std::optional<LocalUser> local{};  // empty: it comes over the network
};

// Of a request of which only the header is there.
struct HttpHead {
  std::string method{};  // "GET"
  std::string target{};  // "/api/v1/jobs?state=done", as it was sent
  std::string path{};    // without the query
  std::string host{};    // the fields of these names; empty: not sent
  std::string origin{};
  std::string authorization{};
};

// On whose behalf a request is done.
struct Caller {
  std::string name{};  // for the audit: a user's name, or "token:" and the token's
  registry::Role role = registry::Role::viewer;
  std::optional<std::int64_t> token{};  // its number, where one was shown
};

struct HttpRequest {
  std::string method{};
  std::string path{};
  std::map<std::string, std::string> query{};
  std::string content_type{};
  std::string idempotency_key{};  // empty: not sent
  std::string body{};
  std::string actor{};  // the caller's name
  Caller caller{};
  // Becomes true when nobody waits for the answer any more; null: nobody watches.
  std::shared_ptr<const std::atomic<bool>> abandoned{};
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body{};
  std::vector<std::pair<std::string, std::string>> headers{};
};

// Whether a request may go on, said when its header is there.
struct Admission {
  std::optional<HttpResponse> refused{};
  Caller caller{};
  std::size_t body_bytes_max = 0;
};

// Who answers a request. at_once: the thread of all connections, so it must not wait. slow: a few threads of their own,
// so that what takes long holds up its like and nobody else.
enum class Lane { at_once, quick, slow };

// Exactly once, from any thread.
using Respond = std::function<void(HttpResponse)>;
using HttpHandler = std::function<void(HttpRequest, Respond)>;

}  // namespace conceptd::daemon
