// HTTP/1.1 on a unix socket and, where asked, on TCP, plain or through TLS. One thread speaks to all connections; a few
// others run the handler, so that a slow request holds up nobody's bytes. Limits: connections, of one peer and in all,
// counted for each listener so that the network cannot lock out the socket; bytes of header and body; seconds of
// everything.
#pragma once
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/net/address.h"
#include "core/net/tls_files.h"
#include "daemon/http_message.h"

namespace conceptd::daemon {

struct HttpLimits {
  int connections_max = 256;
  int connections_per_peer_max = 64;
  int handler_threads = 4;
  int slow_threads = 4;
  std::size_t header_bytes_max = 8192;
  // Of all bodies that are under way together; those of a megabyte and less are not counted.
  std::size_t bodies_bytes_max = 512u << 20;
  std::chrono::milliseconds idle{60'000};     // between two requests
  std::chrono::milliseconds header{10'000};   // from its first byte to its last, and for the TLS handshake
  std::chrono::milliseconds body{300'000};    // for a whole body
  std::chrono::milliseconds answer{120'000};  // for the client to take the answer
  // A body that after the grace is behind this pace is given up.
  std::chrono::milliseconds body_grace{10'000};
  std::size_t body_bytes_per_s_min = 16 * 1024;
};

struct HttpHost {
  HttpHandler handle{};
  // Asked when the header is there, on the thread of all connections: it must not wait.
  std::function<Admission(const HttpHead&, const HttpPeer&)> admit{};
  // Null: all are quick.
  std::function<Lane(const std::string& method, const std::string& path)> lane{};
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
  // An IP address and a port; port 0 is any that is free. Without files it is plain. Returns the port. Error{busy} if
  // it is taken, Error{invalid} for files that cannot be used.
  std::uint16_t listen_tcp(const net::HostPort& at, const std::optional<net::TlsFiles>& tls);
  // Reads certificate and key again, for the connections from now on. If it throws, the old ones stay.
  void reload_tls();
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
