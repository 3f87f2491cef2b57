#include "daemon/http_session.h"

#include <pwd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <limits>

#include "core/log.h"
#include "daemon/percent.h"

namespace conceptd::daemon {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t kDrainedMax = 128u << 20;

// Who is at the other end, as the kernel knows it.
std::string peer_of(HttpSession::Protocol::socket& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return "unknown";
  std::array<char, 4096> room;
  passwd entry{}, *found = nullptr;
  if (::getpwuid_r(peer.uid, &entry, room.data(), room.size(), &found) == 0 && found) return found->pw_name;
  return "uid " + std::to_string(peer.uid);
}

// In a query, and only there, "+" is a space too.
std::string unescaped(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return percent_decoded(spaced);
}

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

std::map<std::string, std::string> query_of(std::string_view target) {
  std::map<std::string, std::string> query;
  std::size_t at = target.find('?');
  while (at != std::string_view::npos) {
    const std::size_t end = target.find('&', at + 1);
    const std::string_view item = target.substr(at + 1, end == std::string_view::npos ? end : end - at - 1);
    const std::size_t equals = item.find('=');
    if (!item.empty())
      query[unescaped(item.substr(0, equals))] =
          equals == std::string_view::npos ? std::string() : unescaped(item.substr(equals + 1));
    at = end;
  }
  return query;
}

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

HttpSession::HttpSession(Protocol::socket socket, const HttpHost& host, const HttpLimits& limits,
                         boost::asio::thread_pool& pool)
    : stream_(std::move(socket)), host_(host), limits_(limits), pool_(pool), actor_(peer_of(stream_.socket())) {}

void HttpSession::end_soon() {
  ending_ = true;
  if (!busy_) stream_.close();
}

void HttpSession::read_request() {
  busy_ = false;
  if (ending_) return stream_.close();
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(limits_.header_bytes_max));
  parser_->body_limit(std::numeric_limits<std::uint64_t>::max());  // on_header() knows the request
  stream_.expires_after(limits_.idle);
  http::async_read_header(stream_, buffer_, *parser_,
                          [self = shared_from_this()](error_code error, std::size_t) { self->on_header(error); });
}

void HttpSession::on_header(error_code error) {
  busy_ = true;
  if (error == http::error::header_limit) return refuse(431, "the header of the request is too large");
  if (error == http::error::end_of_stream || error == http::error::partial_message || error == beast::error::timeout ||
      ending_)
    return stream_.close();
  if (error.category() == http::make_error_code(http::error::bad_target).category())
    return refuse(400, "that is not an HTTP/1.1 request: " + error.message());
  if (error) return stream_.close();
  const auto& header = parser_->get();
  if (header.method() == http::verb::unknown) return refuse(405, "the method is unknown");
  if (header.count(http::field::content_encoding) > 0) return refuse(415, "a compressed body is not read");
  const std::string path(path_of(view(header.target())));
  const std::size_t limit = host_.body_limit(std::string(view(header.method_string())), path);
  if (parser_->content_length() && *parser_->content_length() > limit)
    return refuse(413, "the body may have at most " + std::to_string(limit) + " bytes");
  parser_->body_limit(limit);
  if (!beast::iequals(header[http::field::expect], "100-continue")) return read_body();
  stream_.expires_after(limits_.answer);
  response_.emplace(http::status::continue_, 11);
  http::async_write(stream_, *response_, [self = shared_from_this()](error_code failed, std::size_t) {
    return failed ? self->stream_.close() : self->read_body();
  });
}

void HttpSession::read_body() {
  stream_.expires_after(limits_.body);
  http::async_read(stream_, buffer_, *parser_,
                   [self = shared_from_this()](error_code error, std::size_t) { self->on_body(error); });
}

void HttpSession::on_body(error_code error) {
  if (error == http::error::body_limit) return refuse(413, "the body is too large");
  if (error == beast::error::timeout) return refuse(408, "the body did not arrive in time");
  if (error) return stream_.close();
  stream_.expires_never();  // while it is being handled
  auto message = parser_->release();
  const bool keep_alive = message.keep_alive();
  HttpRequest request{.method = std::string(view(message.method_string())),
                      .path = std::string(path_of(view(message.target()))),
                      .query = query_of(view(message.target())),
                      .content_type = std::string(view(message[http::field::content_type])),
                      .body = std::move(message.body()),
                      .actor = actor_,
                      .abandoned = watch_for_hang_up()};
  const auto respond = [self = shared_from_this(), keep_alive](HttpResponse response) {
    boost::asio::post(self->stream_.get_executor(), [self, keep_alive, response = std::move(response)]() mutable {
      self->write(std::move(response), keep_alive);
    });
  };
  boost::asio::post(pool_, [this, self = shared_from_this(), request = std::move(request), respond]() mutable {
    host_.handle(std::move(request), respond);
  });
}

// A client that has gone (Ctrl-C, a closed tab) needs no pictures. One that has only finished writing still waits: the
// kernel reports an error on the socket when both directions are shut, and not before.
std::shared_ptr<const std::atomic<bool>> HttpSession::watch_for_hang_up() {
  auto abandoned = std::make_shared<std::atomic<bool>>(false);
  stream_.socket().async_wait(Protocol::socket::wait_error,
                              [self = shared_from_this(), abandoned](error_code error) { *abandoned = !error; });
  return abandoned;
}

void HttpSession::write(HttpResponse response, bool keep_alive) {
  error_code ignored;
  stream_.socket().cancel(ignored);  // the watch for a hang-up
  keep_alive = keep_alive && !ending_;
  response_.emplace(static_cast<http::status>(response.status), 11);
  response_->set(http::field::server, "conceptd");
  response_->set(http::field::content_type, response.content_type);
  for (const auto& [name, value] : response.headers) response_->set(name, value);
  response_->keep_alive(keep_alive);
  response_->body() = std::move(response.body);
  response_->prepare_payload();
  stream_.expires_after(limits_.answer);
  http::async_write(stream_, *response_, [self = shared_from_this(), keep_alive](error_code error, std::size_t) {
    if (error || !keep_alive) return self->stream_.close();
    self->read_request();
  });
}

void HttpSession::refuse(int status, const std::string& message) {
  HttpResponse response = host_.refuse(status, message);
  ending_ = true;
  response_.emplace(static_cast<http::status>(status), 11);
  response_->set(http::field::content_type, response.content_type);
  response_->keep_alive(false);
  response_->body() = std::move(response.body);
  response_->prepare_payload();
  stream_.expires_after(limits_.answer);
  http::async_write(stream_, *response_,
                    [self = shared_from_this()](error_code, std::size_t) { self->drain_and_close(); });
}

// Closing a socket that holds unread bytes would throw the answer away before the client has read it.
void HttpSession::drain_and_close() {
  error_code ignored;
  stream_.socket().shutdown(Protocol::socket::shutdown_send, ignored);
  stream_.expires_after(std::chrono::seconds(5));
  auto read = std::make_shared<std::function<void(std::size_t)>>();
  *read = [self = shared_from_this(), weak = std::weak_ptr(read)](std::size_t total) {
    self->buffer_.clear();
    self->stream_.async_read_some(self->buffer_.prepare(65536),
                                  [self, read = weak.lock(), total](error_code error, std::size_t got) {
                                    if (error || total + got > kDrainedMax || !read) return self->stream_.close();
                                    (*read)(total + got);
                                  });
  };
  (*read)(0);
}

}  // namespace conceptd::daemon
