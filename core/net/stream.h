// One connection's bytes: over a unix socket or TCP, plain or through TLS. Whoever reads and writes need not know
// which. It is what Asio calls an AsyncStream; time limits are the owner's, who cancels socket().
#pragma once
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <optional>
#include <utility>

#include "core/net/tls.h"

namespace conceptd::net {

class Stream {
 public:
  using Protocol = boost::asio::generic::stream_protocol;
  using Socket = Protocol::socket;
  using executor_type = Socket::executor_type;
  using next_layer_type = Socket;

  // Without a context it is plain.
  explicit Stream(Socket socket, const TlsContext& context = nullptr) : socket_(std::move(socket)) {
    if (context) tls_.emplace(socket_, *context);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  executor_type get_executor() { return socket_.get_executor(); }
  Socket& socket() noexcept { return socket_; }
  SSL* tls() noexcept { return tls_ ? tls_->native_handle() : nullptr; }  // null: plain

  template <typename Buffers, typename Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    tls_ ? tls_->async_read_some(buffers, std::forward<Handler>(handler))
         : socket_.async_read_some(buffers, std::forward<Handler>(handler));
  }
  template <typename Buffers, typename Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    tls_ ? tls_->async_write_some(buffers, std::forward<Handler>(handler))
         : socket_.async_write_some(buffers, std::forward<Handler>(handler));
  }
  // Both only with TLS: the beginning, and the goodbye that tells an end from a cut.
  template <typename Handler>
  void async_handshake(boost::asio::ssl::stream_base::handshake_type side, Handler&& handler) {
    tls_->async_handshake(side, std::forward<Handler>(handler));
  }
  template <typename Handler>
  void async_shutdown(Handler&& handler) {
    tls_->async_shutdown(std::forward<Handler>(handler));
  }

 private:
  Socket socket_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
};

}  // namespace conceptd::net
