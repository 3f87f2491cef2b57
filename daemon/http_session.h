// One connection: read a request, handle it, write the answer, again. Lives as long as something is under way.
#pragma once
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <memory>
#include <optional>
#include <string>

#include "daemon/http_server.h"

namespace conceptd::daemon {

class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  using Protocol = boost::asio::local::stream_protocol;

  // host, limits and pool outlive the session.
  HttpSession(Protocol::socket socket, const HttpHost& host, const HttpLimits& limits, boost::asio::thread_pool& pool);
  void read_request();
  void end_soon();  // at once if no request is under way, else after its answer

 private:
  void on_header(boost::system::error_code error);
  void read_body();
  void on_body(boost::system::error_code error);
  std::shared_ptr<const std::atomic<bool>> watch_for_hang_up();
  void write(HttpResponse response, bool keep_alive);
  void refuse(int status, const std::string& message);
  void drain_and_close();

  boost::beast::basic_stream<Protocol> stream_;
  const HttpHost& host_;
  const HttpLimits& limits_;
  boost::asio::thread_pool& pool_;
  const std::string actor_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  std::optional<boost::beast::http::response<boost::beast::http::string_body>> response_;
  bool busy_ = false;    // a request is under way
  bool ending_ = false;  // no further one
};

}  // namespace conceptd::daemon
