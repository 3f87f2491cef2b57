#include "cli/client.h"

#include <sys/un.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <thread>
#include <vector>

#include "cli/text.h"
#include "core/digest.h"
#include "core/net/stream.h"
#include "core/secret.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::uint64_t kAnswerBytesMax = 1u << 30;
constexpr std::size_t kKeyBytes = 16;
constexpr std::chrono::milliseconds kPauses[] = {std::chrono::milliseconds(500), std::chrono::milliseconds(2000)};

Error nobody_there(const Endpoint& endpoint, const error_code& why) {
  std::string message = "no daemon answers at " + endpoint.shown() + " (" + why.message() + "). ";
  if (endpoint.url)
    message += "Is the address right, and does the daemon listen there ([tcp] in its configuration)?";
  else if (why == asio::error::access_denied)
    message += "Its socket is for its own group: ask to be added (usermod -aG conceptd YOU), then log in again.";
  else
    message +=
        "Start it with 'systemctl start conceptd', or 'conceptd --data-dir DIR'; if it listens elsewhere, say where "
        "with --socket PATH or $CONCEPTD_SOCKET.";
  return Error(Code::unavailable, message);
}

Error no_trust(const Endpoint& endpoint, const std::string& fault, const error_code& why) {
  if (fault.empty())
    return Error(Code::unavailable, "what answers at " + endpoint.shown() + " does not speak TLS as it should (" +
                                        why.message() + "); is it the right port?");
  return Error(Code::unavailable,
               "the certificate at " + endpoint.shown() + " is not trusted: " + fault +
                   ". Nothing was sent. If it is your site's own, name its authority with --ca FILE");
}

// Where in the body the first text stands that is not UTF-8: "photos[2].name".
std::string field_not_utf8(const Json& body, const std::string& path) {
  if (body.is_string()) return is_utf8(body.get_ref<const std::string&>()) ? std::string() : path;
  std::string found;
  if (body.is_array())
    for (std::size_t i = 0; i < body.size() && found.empty(); ++i)
      found = field_not_utf8(body[i], path + "[" + std::to_string(i) + "]");
  if (body.is_object())
    for (const auto& [name, value] : body.items())
      if (found.empty()) found = field_not_utf8(value, path.empty() ? name : path + "." + name);
  return found;
}

std::string text_of(const Json& body) {
  try {
    return body.dump();
  } catch (const Json::type_error&) {
    const std::string field = field_not_utf8(body, {});
    throw Error(Code::invalid, "'" + field + "' is not UTF-8 text; write it in UTF-8", field);
  }
}

// Connect, shake hands, write, read, in that order; each step starts the next. What happened last is in `failure` and
// `step`.
struct Exchange {
  asio::io_context io;
  asio::ip::tcp::resolver resolver{io};
  std::vector<net::Stream::Protocol::endpoint> endpoints;
  std::optional<net::Stream> stream;
  http::request<http::string_body> request;
  http::response_parser<http::string_body> parser;
  beast::flat_buffer buffer;
  std::optional<error_code> finished;
  std::string step = "connecting";

  void start(const Endpoint& endpoint) {
    parser.body_limit(kAnswerBytesMax);
    const bool tls = endpoint.url && endpoint.url->tls;
    stream.emplace(net::Stream::Socket(io), tls ? net::client_tls(endpoint.authorities) : nullptr);
    if (tls) net::expect_host(stream->tls(), endpoint.url->at.host);
    if (!endpoint.url) {
      endpoints = {asio::local::stream_protocol::endpoint(endpoint.socket.string())};
      return connect();
    }
    resolver.async_resolve(endpoint.url->at.host, std::to_string(endpoint.url->at.port),
                           [this](error_code error, const asio::ip::tcp::resolver::results_type& found) {
                             if (error) return finish(error);
                             for (const auto& item : found) endpoints.emplace_back(item.endpoint());
                             connect();
                           });
  }
  void connect() {
    asio::async_connect(stream->socket(), endpoints, [this](error_code error, const auto&) {
      if (error) return finish(error);
      if (!stream->tls()) return send();
      step = "shaking hands";
      stream->async_handshake(asio::ssl::stream_base::client,
                              [this](error_code failed) { failed ? finish(failed) : send(); });
    });
  }
  void send() {
    step = "sending";
    http::async_write(*stream, request, [this](error_code error, std::size_t) {
      // A daemon that refuses a body stops reading it and answers: its answer says more than a broken pipe.
      if (error && error != asio::error::broken_pipe && error != asio::error::connection_reset) return finish(error);
      step = "waiting for the answer";
      http::async_read(*stream, buffer, parser, [this](error_code failed, std::size_t) { finish(failed); });
    });
  }
  void finish(error_code error) { finished = error; }
};

}  // namespace

std::string path_segment(std::string_view name) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string segment;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain)
      segment += c;
    else
      segment.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
  }
  return segment;
}

namespace {

// It hung up on a request that was on its way: nobody here knows whether it was done.
struct HungUp : Error {
  using Error::Error;
};

Reply exchange_once(const Endpoint& endpoint, const std::string& method, const std::string& path, std::string body,
                    std::chrono::milliseconds timeout, const std::string& key = {}) {
  const std::string where = endpoint.shown();
  if (!endpoint.url && where.size() >= sizeof(sockaddr_un::sun_path))
    throw Error(Code::invalid, "the path of a unix socket cannot be this long: " + where, "socket");
  Exchange exchange;
  exchange.request = {http::string_to_verb(method), path, 11};
  exchange.request.set(http::field::host, endpoint.url ? net::to_string(endpoint.url->at) : "conceptd");
  exchange.request.set(http::field::connection, "close");
  if (!endpoint.token.empty()) exchange.request.set(http::field::authorization, "Bearer " + endpoint.token);
  if (method == "POST") exchange.request.set(http::field::content_type, "application/json");
  if (!key.empty()) exchange.request.set("Idempotency-Key", key);
  exchange.request.body() = std::move(body);
  exchange.request.prepare_payload();
  exchange.start(endpoint);
  exchange.io.run_for(timeout);
  if (!exchange.finished)
    throw Error(Code::unavailable, "the daemon at " + where + " has not answered for " +
                                       std::to_string(timeout.count() / 1000) + " s (while " + exchange.step +
                                       "); what was asked may still be done");
  if (*exchange.finished) {
    if (exchange.step == "connecting") throw nobody_there(endpoint, *exchange.finished);
    if (exchange.step == "shaking hands")
      throw no_trust(endpoint, net::fault_in_certificate(exchange.stream->tls()), *exchange.finished);
    throw HungUp(Code::unavailable, "the daemon at " + where + " hung up while " + exchange.step + " (" +
                                        exchange.finished->message() + "); its log says why");
  }
  return {.status = static_cast<int>(exchange.parser.get().result_int()),
          .body = std::move(exchange.parser.get().body())};
}

// A second time under the same key a request is answered, and not done again; so one that a daemon hung up on (it was
// restarted, a proxy gave up) is sent again by itself.
Reply exchange_again(const Endpoint& endpoint, const std::string& path, const std::string& body,
                     std::chrono::milliseconds timeout) {
  const std::string key = to_hex(random_bytes(kKeyBytes));
  try {
    return exchange_once(endpoint, "POST", path, body, timeout, key);
  } catch (const HungUp&) {
    for (const std::chrono::milliseconds pause : kPauses) {
      std::this_thread::sleep_for(pause);
      try {
        return exchange_once(endpoint, "POST", path, body, timeout, key);
      } catch (const Error& error) {
        if (error.code() != Code::unavailable) throw;
      }
    }
    throw;
  }
}

}  // namespace

Reply Client::exchange(const std::string& method, const std::string& path, std::string body,
                       std::chrono::milliseconds timeout) const {
  return exchange_once(endpoint_, method, path, std::move(body), timeout);
}

std::string Client::accepted(const Reply& reply) const {
  if (reply.status < 400) return reply.body;
  throw Refusal(api::decode_error(parse_json(reply.body, "the daemon's answer")));
}

std::string Client::get_bytes(const std::string& target) const {
  return accepted(exchange("GET", "/api/v1/" + target, {}, kTimeout));
}

Json Client::get(const std::string& target) const { return parse_json(get_bytes(target), "the daemon's answer"); }

Json Client::post(const std::string& target, const Json& body, std::chrono::milliseconds timeout) const {
  return parse_json(accepted(exchange_again(endpoint_, "/api/v1/" + target, text_of(body), timeout)),
                    "the daemon's answer");
}

}  // namespace conceptd::cli
