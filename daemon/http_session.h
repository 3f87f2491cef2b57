// One connection: read a request, handle it, write the answer, again. Lives as long as something is under way.
#pragma once
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <memory>
#include <optional>
#include <string>

#include "core/net/stream.h"
#include "daemon/http_server.h"

namespace conceptd::daemon {

class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  struct Lent {  // all of it outlives the session
    const HttpHost& host;
    const HttpLimits& limits;
    boost::asio::io_context& handlers;
    boost::asio::io_context& slow;
    std::atomic<std::size_t>& bodies;  // bytes under way
  };
  HttpSession(net::Stream::Socket socket, const net::TlsContext& tls, HttpPeer peer, const Lent& lent);
  ~HttpSession() { give_room_back(); }
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;
  void start();
  void end_soon();  // at once if no request is under way, else after its answer
  const HttpPeer& peer() const noexcept { return peer_; }

 private:
  using error_code = boost::system::error_code;

  void read_request();
  void read_header();
  void on_header(std::size_t size);
  void read_body();
  void on_body(error_code error, std::size_t got);
  void on_request();
  void watch_for_hang_up(std::shared_ptr<std::atomic<bool>> abandoned);
  void write(HttpResponse response, bool keep_alive);
  void refuse(HttpResponse response);
  void refuse(int status, const std::string& message);
  void say_goodbye();
  void drain_and_close();
  void drain();
  void close();
  // Of what bodies may take together: false where there is not so much left.
  bool make_room(std::size_t bytes);
  void give_room_back();
  // What is being read or written ends with an error, and late_ is set, when this time is over.
  void within(std::chrono::steady_clock::duration time);

  net::Stream stream_;
  const HttpPeer peer_;
  const Lent lent_;
  boost::asio::steady_timer deadline_, watch_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  std::optional<boost::beast::http::response<boost::beast::http::string_body>> response_;
  HttpRequest request_;  // what its header said
  std::chrono::steady_clock::time_point body_began_{};
  std::size_t body_bytes_ = 0;  // that have come
  std::size_t room_ = 0;        // that is taken
  bool busy_ = false;           // a request is under way
  bool ending_ = false;         // no further one
  bool late_ = false;
};

}  // namespace conceptd::daemon
