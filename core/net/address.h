// Where a daemon is in a network, as people write it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace conceptd::net {

struct HostPort {
  std::string host{};  // without the brackets of an IPv6 address
  std::uint16_t port = 0;
};

// "127.0.0.1:7860", "[::1]:7860", "pictures.example.com:443". Error{invalid, field} for anything else.
HostPort parse_host_port(std::string_view text, const std::string& field);

struct Url {
  bool tls = false;
  HostPort at{};
};

// "https://pictures.example.com:7860", "http://127.0.0.1:7860"; the port may be left out (443, 80), and nothing follows
// it but a slash. Error{invalid, "url"}.
Url parse_url(std::string_view text);

bool is_ip_address(const std::string& host);
bool is_loopback(const std::string& host);     // 127.0.0.0/8, ::1, "localhost"
bool is_unspecified(const std::string& host);  // 0.0.0.0, ::

// "::1" and 7860 as "[::1]:7860".
std::string to_string(const HostPort& at);

}  // namespace conceptd::net
