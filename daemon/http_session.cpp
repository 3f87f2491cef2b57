#include "daemon/http_session.h"

#include <poll.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <limits>
#include <utility>

#include "core/log.h"
#include "daemon/http_header.h"

namespace conceptd::daemon {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using std::chrono::steady_clock;

constexpr std::size_t kHeaderPiece = 4096, kBodyPiece = 65536;
constexpr std::size_t kSmallBody = 1u << 20;
constexpr std::size_t kDrainedMax = 128u << 20;
constexpr std::chrono::seconds kDrainTime{5}, kGoodbyeTime{2};
constexpr std::chrono::milliseconds kHangUpLooked{200};

std::string text_of(beast::string_view text) { return {text.data(), text.size()}; }

HttpHead head_of(const http::request_header<>& header) {
  return {.method = text_of(header.method_string()),
          .target = text_of(header.target()),
          .path = std::string(path_of(text_of(header.target()))),
          .host = text_of(header[http::field::host]),
          .origin = text_of(header[http::field::origin]),
          .authorization = text_of(header[http::field::authorization])};
}

}  // namespace

HttpSession::HttpSession(net::Stream::Socket socket, const net::TlsContext& tls, HttpPeer peer, const Lent& lent)
    : stream_(std::move(socket), tls),
      peer_(std::move(peer)),
      lent_(lent),
      deadline_(stream_.get_executor()),
      watch_(stream_.get_executor()) {}

void HttpSession::start() {
  if (!stream_.tls()) return read_request();
  within(lent_.limits.header);
  stream_.async_handshake(asio::ssl::stream_base::server, [self = shared_from_this()](error_code error) {
    if (!error) return self->read_request();
    spdlog::debug("{}: no TLS: {}", self->peer_.address, error.message());
    self->close();
  });
}

void HttpSession::end_soon() {
  ending_ = true;
  if (!busy_) close();
}

void HttpSession::close() {
  give_room_back();
  error_code ignored;
  deadline_.cancel();
  watch_.cancel();
  stream_.socket().close(ignored);
}

void HttpSession::within(steady_clock::duration time) {
  late_ = false;
  deadline_.expires_after(time);
  deadline_.async_wait([weak = weak_from_this()](error_code cancelled) {
    const auto self = weak.lock();
    if (cancelled || !self || self->deadline_.expiry() > steady_clock::now()) return;  // it was set again since
    self->late_ = true;
    error_code ignored;
    self->stream_.socket().cancel(ignored);
  });
}

void HttpSession::read_request() {
  busy_ = false;
  if (ending_) return close();
  within(buffer_.size() == 0 ? lent_.limits.idle : lent_.limits.header);
  read_header();
}

// Piece by piece until its empty line, so that it is seen as it was sent.
void HttpSession::read_header() {
  const std::string_view text(static_cast<const char*>(buffer_.data().data()), buffer_.size());
  const std::size_t end = text.find("\r\n\r\n"), limit = lent_.limits.header_bytes_max;
  if (end != std::string_view::npos && end + 4 <= limit) return on_header(end + 4);
  if (end != std::string_view::npos || text.size() >= limit)
    return refuse(431, "the header of the request is larger than " + std::to_string(limit) + " bytes");
  stream_.async_read_some(buffer_.prepare(kHeaderPiece),
                          [self = shared_from_this()](error_code error, std::size_t got) {
                            const bool first = self->buffer_.size() == 0;
                            self->buffer_.commit(got);
                            if (self->late_ && !first) return self->refuse(408, "the header did not arrive in time");
                            if (error || self->ending_) return self->close();
                            if (first) self->within(self->lent_.limits.header);
                            self->read_header();
                          });
}

void HttpSession::on_header(std::size_t size) {
  busy_ = true;
  if (const auto fault = fault_in_header({static_cast<const char*>(buffer_.data().data()), size}))
    return refuse(400, *fault);
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(lent_.limits.header_bytes_max));
  parser_->body_limit(std::numeric_limits<std::uint64_t>::max());  // admit() knows the request
  error_code error;
  buffer_.consume(parser_->put(asio::buffer(buffer_.data(), size), error));
  if (error || !parser_->is_header_done()) return refuse(400, "that is not an HTTP/1.1 request: " + error.message());
  const auto& header = parser_->get();
  const HttpHead head = head_of(header);
  Admission admission = lent_.host.admit(head, peer_);
  if (admission.refused) return refuse(std::move(*admission.refused));
  if (header.method() == http::verb::unknown) return refuse(405, "the method is unknown");
  if (header.count(http::field::content_encoding) > 0) return refuse(415, "a compressed body is not read");
  const std::size_t limit = admission.body_bytes_max;
  if (parser_->content_length() && *parser_->content_length() > limit)
    return refuse(413, "the body may have at most " + std::to_string(limit) + " bytes");
  if (!make_room(parser_->content_length() ? *parser_->content_length() : parser_->chunked() ? limit : 0))
    return refuse(429, "other large requests are under way; try again in a moment");
  parser_->body_limit(limit);
  request_ = {.method = head.method,
              .path = head.path,
              .query = query_of(head.target),
              .content_type = text_of(header[http::field::content_type]),
              .idempotency_key = text_of(header["Idempotency-Key"]),
              .actor = admission.caller.name,
              .caller = admission.caller};
  body_began_ = steady_clock::now(), body_bytes_ = 0;
  if (header[http::field::expect].empty()) return read_body();
  if (!beast::iequals(header[http::field::expect], "100-continue"))
    return refuse(417, "all that can be expected here is 100-continue");
  within(lent_.limits.answer);
  response_.emplace(http::status::continue_, 11);
  http::async_write(stream_, *response_, [self = shared_from_this()](error_code failed, std::size_t) {
    return failed ? self->close() : self->read_body();
  });
}

// In pieces: each must keep the pace.
void HttpSession::read_body() {
  if (parser_->is_done()) return on_request();
  const HttpLimits& limits = lent_.limits;
  const auto behind = limits.body_grace + std::chrono::milliseconds(body_bytes_ * 1000 / limits.body_bytes_per_s_min);
  within(body_began_ + std::min(behind, limits.body) - steady_clock::now());
  http::async_read_some(stream_, buffer_, *parser_,
                        [self = shared_from_this()](error_code error, std::size_t got) { self->on_body(error, got); });
}

void HttpSession::on_body(error_code error, std::size_t got) {
  body_bytes_ += got;
  if (!error) return read_body();
  if (late_) return refuse(408, "the body did not arrive in time");
  if (error == http::error::body_limit) return refuse(413, "the body is too large");
  if (error == http::error::end_of_stream || error == http::error::partial_message) return close();
  if (error.category() == http::make_error_code(http::error::bad_target).category())
    return refuse(400, "the body is not what its header says: " + error.message());
  close();
}

void HttpSession::on_request() {
  if (ending_) return close();  // nobody would handle it any more; a client with a key sends it again by itself
  deadline_.cancel();           // while it is being handled
  const bool keep_alive = parser_->get().keep_alive();
  request_.body = std::move(parser_->get().body());
  const auto abandoned = std::make_shared<std::atomic<bool>>(false);
  request_.abandoned = abandoned;
  watch_for_hang_up(abandoned);
  const auto respond = [self = shared_from_this(), keep_alive](HttpResponse response) {
    asio::post(self->stream_.get_executor(), [self, keep_alive, response = std::move(response)]() mutable {
      self->write(std::move(response), keep_alive);
    });
  };
  const Lane lane = lent_.host.lane ? lent_.host.lane(request_.method, request_.path) : Lane::quick;
  if (lane == Lane::at_once) return lent_.host.handle(std::move(request_), respond);
  asio::post(lane == Lane::slow ? lent_.slow : lent_.handlers,
             [self = shared_from_this(), request = std::move(request_), respond]() mutable {
               self->lent_.host.handle(std::move(request), respond);
             });
}

// A client that has gone (Ctrl-C, a closed tab) needs no pictures. On a unix socket one that has only finished writing
// still waits: both directions must be shut. TCP does not say which it is, and there an end of writing counts as gone.
void HttpSession::watch_for_hang_up(std::shared_ptr<std::atomic<bool>> abandoned) {
  watch_.expires_after(kHangUpLooked);
  watch_.async_wait([weak = weak_from_this(), abandoned = std::move(abandoned)](error_code cancelled) mutable {
    const auto self = weak.lock();
    if (cancelled || !self || !self->busy_) return;
    pollfd end{.fd = self->stream_.socket().native_handle(), .events = 0, .revents = 0};
    if (!self->peer_.local) end.events = POLLRDHUP;
    if (::poll(&end, 1, 0) > 0)
      *abandoned = true;
    else
      self->watch_for_hang_up(std::move(abandoned));
  });
}

bool HttpSession::make_room(std::size_t bytes) {
  if (bytes <= kSmallBody) return true;
  if (lent_.bodies.fetch_add(bytes) + bytes > lent_.limits.bodies_bytes_max) {
    lent_.bodies -= bytes;
    return false;
  }
  room_ = bytes;
  return true;
}

void HttpSession::give_room_back() { lent_.bodies -= std::exchange(room_, 0); }

void HttpSession::write(HttpResponse response, bool keep_alive) {
  give_room_back();
  watch_.cancel();
  keep_alive = keep_alive && !ending_;
  response_.emplace(static_cast<http::status>(response.status), 11);
  response_->set(http::field::server, "conceptd");
  response_->set(http::field::content_type, response.content_type);
  for (const auto& [name, value] : response.headers) response_->set(name, value);
  response_->keep_alive(keep_alive);
  response_->body() = std::move(response.body);
  response_->prepare_payload();
  within(lent_.limits.answer);
  http::async_write(stream_, *response_, [self = shared_from_this(), keep_alive](error_code error, std::size_t) {
    if (error) return self->close();
    keep_alive ? self->read_request() : self->say_goodbye();
  });
}

void HttpSession::refuse(int status, const std::string& message) { refuse(lent_.host.refuse(status, message)); }

void HttpSession::refuse(HttpResponse response) {
  give_room_back();
  busy_ = true;
  ending_ = true;
  response_.emplace(static_cast<http::status>(response.status), 11);
  response_->set(http::field::server, "conceptd");
  response_->set(http::field::content_type, response.content_type);
  for (const auto& [name, value] : response.headers) response_->set(name, value);
  response_->keep_alive(false);
  response_->body() = std::move(response.body);
  response_->prepare_payload();
  within(lent_.limits.answer);
  http::async_write(stream_, *response_,
                    [self = shared_from_this()](error_code, std::size_t) { self->drain_and_close(); });
}

void HttpSession::say_goodbye() {
  if (!stream_.tls()) return close();
  within(kGoodbyeTime);
  stream_.async_shutdown([self = shared_from_this()](error_code) { self->close(); });
}

// Closing a socket that holds unread bytes would throw the answer away before the client has read it.
void HttpSession::drain_and_close() {
  if (!stream_.socket().is_open()) return;
  if (!stream_.tls()) return drain();
  within(kGoodbyeTime);
  stream_.async_shutdown([self = shared_from_this()](error_code) { self->drain(); });
}

// Below TLS: what is thrown away is not worth decrypting.
void HttpSession::drain() {
  error_code ignored;
  stream_.socket().shutdown(net::Stream::Socket::shutdown_send, ignored);
  within(kDrainTime);
  auto read = std::make_shared<std::function<void(std::size_t)>>();
  *read = [self = shared_from_this(), weak = std::weak_ptr(read)](std::size_t total) {
    self->buffer_.clear();
    self->stream_.socket().async_read_some(self->buffer_.prepare(kBodyPiece),
                                           [self, read = weak.lock(), total](error_code error, std::size_t got) {
                                             if (error || total + got > kDrainedMax || !read) return self->close();
                                             (*read)(total + got);
                                           });
  };
  (*read)(0);
}

}  // namespace conceptd::daemon
