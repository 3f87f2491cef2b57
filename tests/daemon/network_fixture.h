// A daemon that also listens on a loopback port without TLS, and what one needs to ask it there.
#pragma once
#include "tests/daemon/daemon_fixture.h"
#include "tests/daemon/raw_connection.h"

namespace conceptd::daemon::test {

class NetworkTest : public DaemonTest {
 protected:
  NetworkTest() { config_.tcp = {.listen = "127.0.0.1:0", .insecure_loopback = true}; }

  // Made over the socket, where the test is an admin.
  std::string token(const std::string& name, const std::string& role, std::optional<std::int64_t> lifetime_s = {}) {
    const api::CreateToken request{.name = name, .role = role, .lifetime_s = lifetime_s};
    return api::decode_answer<api::TokenCreated>(client().post("tokens", api::encode(request))).secret;
  }
  int port() const { return daemon_->tcp_port(); }
  cli::Client network_client(const std::string& secret) const {
    return cli::Client(cli::Endpoint{
        .url = net::Url{.tls = false, .at = {"127.0.0.1", static_cast<std::uint16_t>(port())}}, .token = secret});
  }
  RawConnection over_tcp() const { return RawConnection(port()); }
  RawConnection over_socket() const { return RawConnection(config_.socket); }

  // "GET /path" and more lines as one request; the Host is right unless a line says another.
  static std::string request(const std::string& line, const std::vector<std::string>& fields = {},
                             const std::string& body = {}) {
    std::string text = line + " HTTP/1.1\r\n";
    bool has_host = false;
    for (const std::string& field : fields) text += field + "\r\n", has_host |= field.starts_with("Host:");
    if (!has_host) text += "Host: localhost\r\n";
    if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    return text + "\r\n" + body;
  }
  std::string ask_over_tcp(const std::string& line, std::vector<std::string> fields = {},
                           const std::string& body = {}) {
    RawConnection connection = over_tcp();
    fields.emplace_back("Connection: close");
    connection.send(request(line, fields, body));
    return connection.receive();
  }
  static int status_of(const std::string& answer) {
    return answer.starts_with("HTTP/1.1 ") ? std::stoi(answer.substr(9, 3)) : 0;
  }
  static std::string bearer(const std::string& secret) { return "Authorization: Bearer " + secret; }
};

}  // namespace conceptd::daemon::test
