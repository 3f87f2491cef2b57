// A request and its answer, without the library that carries them.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace conceptd::daemon {

struct HttpRequest {
  std::string method{};  // "GET"
  std::string path{};    // "/api/v1/jobs", as it was sent, without the query
  std::map<std::string, std::string> query{};
  std::string content_type{};
  std::string body{};
  std::string actor{};  // who is at the other end, for the audit: a user's name
  // Becomes true when nobody waits for the answer any more; null: nobody watches.
  std::shared_ptr<const std::atomic<bool>> abandoned{};
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body{};
  std::vector<std::pair<std::string, std::string>> headers{};
};

// Exactly once, from any thread.
using Respond = std::function<void(HttpResponse)>;
using HttpHandler = std::function<void(HttpRequest, Respond)>;

}  // namespace conceptd::daemon
