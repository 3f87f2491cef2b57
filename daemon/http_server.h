// HTTP/1.1 on a unix socket. One thread speaks to all connections; a few others run the handler, so that a slow request
// holds up nobody's bytes. Limits: connections, bytes of header and body, seconds of everything.
#pragma once
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "daemon/http_message.h"

namespace conceptd::daemon {

struct HttpLimits {
  int connections_max = 256;
  int handler_threads = 4;
  std::size_t header_bytes_max = 8192;
  std::chrono::seconds idle{60};     // between two requests, and for a header
  std::chrono::seconds body{120};    // for a whole body
  std::chrono::seconds answer{120};  // for the client to take the answer
};

struct HttpHost {
  HttpHandler handle{};
  // Bytes of body that a request for this may have.
  std::function<std::size_t(const std::string& method, const std::string& path)> body_limit{};
  // What is said to a request that is not even HTTP, or too large: status and a sentence.
  std::function<HttpResponse(int status, const std::string& message)> refuse{};
};

class HttpServer {
 public:
  HttpServer(HttpHost host, HttpLimits limits = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Mode 0660. A socket that a daemon left behind is replaced; Error{busy} if somebody answers there.
  void listen(const std::filesystem::path& socket);
  // No new connections; those that are waiting for a request are closed, the others after their answer. The socket
  // goes, unless another file has taken its place.
  void stop_accepting();
  // Waits so long for the answers that are still being written, then ends everything.
  void stop(std::chrono::milliseconds patience);

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace conceptd::daemon
