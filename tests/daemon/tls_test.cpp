// Goal: over TLS everything works as on the socket, and whoever is not who they should be is told so before anything is
// sent to them.
#include "tests/daemon/network_fixture.h"
#include "tests/support/certificate.h"

namespace conceptd::daemon::test {
namespace {

class Tls : public NetworkTest {
 protected:
  Tls() { config_.tcp = {.listen = "127.0.0.1:0", .certificate = made_.certificate, .key = made_.key}; }
  cli::Client tls_client(const std::string& secret, const std::string& host = "127.0.0.1",
                         std::filesystem::path authorities = {}) const {
    if (authorities.empty()) authorities = made_.certificate;
    return cli::Client(cli::Endpoint{.url = net::Url{.tls = true, .at = {host, static_cast<std::uint16_t>(port())}},
                                     .token = secret,
                                     .authorities = authorities});
  }
  TempFolder files_;
  Certificate made_ = make_certificate(files_.path(), "site");
};

TEST_F(Tls, EverythingWorksThroughIt) {
  start();
  const std::string alice = token("alice", "operator");
  for (const char* host : {"127.0.0.1", "localhost"})
    EXPECT_EQ(api::decode_answer<api::Status>(tls_client(alice, host).get("status")).release, CONCEPTD_VERSION);
  const Json added = tls_client(alice).post("concepts", api::encode(request_for("kettle-7")));
  EXPECT_EQ(wait_for(api::decode_answer<api::Queued>(added).job.id).state, "done");
  const Json pictures = tls_client(alice).post("generate", {{"prompt", "a <kettle-7>"}, {"seed", 1}, {"count", 16}});
  EXPECT_EQ(api::decode_answer<api::GenerateResponse>(pictures).images.size(), 16u);
  EXPECT_ERROR(tls_client({}).get("status"), Code::unauthenticated, "needs a token");
  EXPECT_ERROR(tls_client(alice).get("tokens"), Code::forbidden, "role admin");
}

TEST_F(Tls, ARefusalArrivesThoughTheBodyIsNotRead) {
  start();
  const std::string body(20u << 20, ' ');
  const cli::Reply reply = tls_client({}).exchange("POST", "/api/v1/concepts", body, 30s);
  EXPECT_EQ(reply.status, 401);
  EXPECT_EQ(tls_client(token("alice", "admin")).exchange("POST", "/api/v1/generate", body, 30s).status, 413);
}

TEST_F(Tls, ACertificateThatIsNotTrustedIsNamed) {
  start();
  const std::string alice = token("alice", "viewer");
  const Certificate other = make_certificate(files_.path(), "other");
  EXPECT_ERROR(tls_client(alice, "127.0.0.1", other.certificate).get("status"), Code::unavailable,
               "is not trusted: self");
  EXPECT_ERROR(tls_client(alice, "127.0.0.1", files_ / "none.pem").get("status"), Code::invalid, "none.pem");
  EXPECT_EQ(api::decode_answer<api::TokenList>(client().get("tokens")).tokens[0].last_used_at, std::nullopt)
      << "the token was not sent";
}

TEST_F(Tls, ACertificateOfAnotherHostIsNotTrusted) {
  made_ = make_certificate(files_.path(), "elsewhere", "DNS:elsewhere.example");
  config_.tcp.certificate = made_.certificate, config_.tcp.key = made_.key;
  start();
  EXPECT_ERROR(tls_client({}, "localhost").get("status"), Code::unavailable, "is not trusted: hostname mismatch");
  EXPECT_ERROR(tls_client({}, "127.0.0.1").get("status"), Code::unavailable, "is not trusted: IP address mismatch");
}

TEST_F(Tls, WhatDoesNotSpeakItGetsNoAnswerOfHttp) {
  http_.header = 400ms;
  start();
  RawConnection plain = over_tcp();
  plain.send(request("GET /healthz"));
  EXPECT_THAT(plain.receive(), testing::Not(HasSubstr("HTTP/1.1")));
  EXPECT_EQ(over_tcp().receive(), "") << "and silence ends with the time for the header";
  const cli::Client wrong(
      cli::Endpoint{.url = net::Url{.tls = false, .at = {"127.0.0.1", static_cast<std::uint16_t>(port())}}});
  EXPECT_ERROR(wrong.get("status"), Code::unavailable, "hung up");
  EXPECT_NO_THROW(tls_client(token("alice", "viewer")).get("status"));
}

TEST_F(Tls, AClientIsToldThatThereIsNoTls) {
  config_.tcp = {.listen = "127.0.0.1:0", .insecure_loopback = true};
  http_.header = 400ms;
  start();
  EXPECT_ERROR(tls_client({}).get("status"), Code::unavailable, "does not speak TLS");
}

TEST_F(Tls, ANewCertificateIsServedAfterAReloadAndABadOneIsNot) {
  start();
  const std::string alice = token("alice", "viewer");
  const std::filesystem::path old = files_ / "old.pem";
  std::filesystem::copy_file(made_.certificate, old);
  make_certificate(files_.path(), "site");
  EXPECT_NO_THROW(tls_client(alice, "127.0.0.1", old).get("status")) << "until it is told";
  daemon_->reload();
  EXPECT_NO_THROW(tls_client(alice).get("status"));
  EXPECT_ERROR(tls_client(alice, "127.0.0.1", old).get("status"), Code::unavailable, "is not trusted");
  const std::string good = contents(made_.certificate);
  plant(made_.certificate, "no certificate");
  EXPECT_ERROR(daemon_->reload(), Code::invalid, made_.certificate.string());
  plant(files_ / "kept.pem", good);
  EXPECT_NO_THROW(tls_client(alice, "127.0.0.1", files_ / "kept.pem").get("status")) << "the one of before stays";
}

TEST_F(Tls, ADaemonWhosePortIsTakenSaysSo) {
  start();
  Config other = config_;
  other.data_dir = folder_ / "other", other.socket = folder_ / "other.sock";
  other.tcp.listen = "127.0.0.1:" + std::to_string(port());
  Daemon second(other, clock_, parts());
  EXPECT_ERROR(second.start(), Code::busy, "listening on 127.0.0.1:");
}

}  // namespace
}  // namespace conceptd::daemon::test
