#include "core/net/address.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>

#include "core/error.h"

namespace conceptd::net {
namespace {

using boost::asio::ip::address;

address parsed(const std::string& host, boost::system::error_code& error) {
  return boost::asio::ip::make_address(host, error);
}

bool is_host_name(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  });
}

}  // namespace

HostPort parse_host_port(std::string_view text, const std::string& field) {
  const auto wrong = [&] {
    return Error(Code::invalid,
                 "'" + std::string(text.substr(0, 300)) + "' is not HOST:PORT, as in 127.0.0.1:7860 or [::1]:7860",
                 field);
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) throw wrong();
  std::string_view host = text.substr(0, colon);
  const std::string_view number = text.substr(colon + 1);
  HostPort at;
  const auto [end, failed] = std::from_chars(number.data(), number.data() + number.size(), at.port);
  if (failed != std::errc() || end != number.data() + number.size()) throw wrong();
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    boost::system::error_code error;
    if (!parsed(std::string(host), error).is_v6() || error) throw wrong();
  } else if (!is_host_name(host)) {
    throw wrong();
  }
  at.host = host;
  return at;
}

Url parse_url(std::string_view text) {
  const std::string whole(text.substr(0, 300));
  Url url{.tls = text.starts_with("https://")};
  if (!url.tls && !text.starts_with("http://"))
    throw Error(Code::invalid, "'" + whole + "' is not the address of a daemon: it begins with https:// or http://",
                "url");
  text.remove_prefix(url.tls ? 8 : 7);
  if (text.ends_with('/')) text.remove_suffix(1);
  if (text.find_first_of("/?#@") != std::string_view::npos)
    throw Error(Code::invalid, "'" + whole + "' says more than https://HOST:PORT; leave the rest out", "url");
  const bool has_port = text.ends_with(']') ? false : text.find(':') != std::string_view::npos;
  url.at = parse_host_port(has_port ? std::string(text) : std::string(text) + (url.tls ? ":443" : ":80"), "url");
  return url;
}

bool is_ip_address(const std::string& host) {
  boost::system::error_code error;
  parsed(host, error);
  return !error;
}

bool is_loopback(const std::string& host) {
  boost::system::error_code error;
  const address found = parsed(host, error);
  return error ? host == "localhost" : found.is_loopback();
}

bool is_unspecified(const std::string& host) {
  boost::system::error_code error;
  const address found = parsed(host, error);
  return !error && found.is_unspecified();
}

std::string to_string(const HostPort& at) {
  const std::string port = ":" + std::to_string(at.port);
  return at.host.find(':') == std::string::npos ? at.host + port : "[" + at.host + "]" + port;
}

}  // namespace conceptd::net
