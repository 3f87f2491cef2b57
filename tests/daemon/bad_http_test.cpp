// Goal: bytes that are slow, too many, ambiguous or compressed cost the daemon little and nobody else anything. Each
// row of the catalogue of bad input that is about HTTP itself has its tests, sent as raw bytes: rows 1 to 5 and 45.
#include "tests/daemon/network_fixture.h"

namespace conceptd::daemon::test {
namespace {

using testing::StartsWith;

class BadHttp : public NetworkTest {
 protected:
  BadHttp() { http_ = {.header = 400ms, .body_grace = 400ms, .body_bytes_per_s_min = 1000}; }
  void TearDown() override {
    if (daemon_ && daemon_->tcp_port() > 0) {
      EXPECT_EQ(status_of(ask_over_tcp("GET /healthz")), 200) << "the next good request works";
    }
  }
  std::string answer_to(const std::string& bytes) {
    RawConnection connection = over_socket();
    connection.send(bytes);
    return connection.receive();
  }
  // Byte by byte, until the daemon has had enough.
  static void drip(RawConnection& connection, const std::string& bytes, std::chrono::milliseconds pause) {
    for (const char byte : bytes) {
      if (!connection.send(std::string(1, byte))) return;
      std::this_thread::sleep_for(pause);
    }
  }
  static int count(const std::string& text, const std::string& part) {
    int found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
  }
};

TEST_F(BadHttp, Row1ASlowHeaderIs408AndTheEnd) {
  start();
  for (const bool tcp : {false, true}) {
    RawConnection connection = tcp ? over_tcp() : over_socket();
    const auto began = std::chrono::steady_clock::now();
    drip(connection, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n", 50ms);
    EXPECT_THAT(connection.receive(), StartsWith("HTTP/1.1 408"));
    EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);
  }
}

TEST_F(BadHttp, Row1ASlowBodyIs408AndTheEnd) {
  start();
  RawConnection connection = over_socket();
  connection.send("POST /api/v1/generate HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n");
  drip(connection, std::string(60, ' '), 50ms);  // 20 bytes a second
  EXPECT_THAT(connection.receive(), testing::AllOf(StartsWith("HTTP/1.1 408"), HasSubstr("\"error\"")));
}

TEST_F(BadHttp, Row1ABodyThatKeepsThePaceIsTaken) {
  start();
  const std::string body = "{\"prompt\": \"a kettle\"}" + std::string(4000, ' ');
  RawConnection connection = over_socket();
  connection.send(
      "POST /api/v1/generate HTTP/1.1\r\nContent-Type: application/json\r\nConnection: close\r\n"
      "Content-Length: " +
      std::to_string(body.size()) + "\r\n\r\n");
  for (std::size_t at = 0; at < body.size(); at += 500, std::this_thread::sleep_for(100ms))
    ASSERT_TRUE(connection.send(body.substr(at, 500))) << "after " << at << " bytes and twice the grace";
  EXPECT_THAT(connection.receive(), StartsWith("HTTP/1.1 200"));
}

TEST_F(BadHttp, Row1AnIdleConnectionIsClosedWithoutAWord) {
  http_.idle = 200ms;
  start();
  EXPECT_EQ(over_tcp().receive(), "");
  RawConnection used = over_tcp();
  used.send(request("GET /healthz"));
  EXPECT_EQ(count(used.receive(), "HTTP/1.1"), 1) << "and so is one that has been used";
}

TEST_F(BadHttp, Row1OnePeerHasOnlySoManyConnections) {
  http_.connections_per_peer_max = 4;
  start();
  std::vector<RawConnection> idle;
  for (int i = 0; i < 4; ++i) {
    idle.push_back(over_tcp());
    idle.back().send(request("GET /healthz"));
    EXPECT_THAT(idle.back().receive("ok"), HasSubstr("200 OK"));
  }
  EXPECT_EQ(over_tcp().receive(), "") << "the fifth is closed";
  EXPECT_EQ(client().exchange("GET", "/healthz", {}, 30s).status, 200) << "the socket is another listener";
  idle.clear();
  for (int i = 0; i < 100 && status_of(ask_over_tcp("GET /healthz")) != 200; ++i) std::this_thread::sleep_for(20ms);
}

TEST_F(BadHttp, Row1AllTogetherHaveOnlySoManyConnections) {
  http_.connections_max = 2;
  start();
  std::vector<RawConnection> idle;
  for (int i = 0; i < 2; ++i) {
    idle.push_back(over_socket());
    idle.back().send(request("GET /healthz"));
    EXPECT_THAT(idle.back().receive("ok"), HasSubstr("200 OK"));
  }
  EXPECT_EQ(over_socket().receive(), "");
  EXPECT_EQ(status_of(ask_over_tcp("GET /healthz")), 200) << "the network is another listener";
}

TEST_F(BadHttp, Row2AHeaderOverEightKilobytesIs431) {
  start();
  EXPECT_THAT(answer_to("GET /healthz HTTP/1.1\r\nX: " + std::string(8192, 'x')), StartsWith("HTTP/1.1 431"))
      << "before its end is seen";
  EXPECT_THAT(answer_to("GET /healthz HTTP/1.1\r\nX: " + std::string(8192, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(answer_to("GET /healthz HTTP/1.1\r\nConnection: close\r\nX: " + std::string(8000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 200"));
  std::string many = "GET /healthz HTTP/1.1\r\n";
  for (int i = 0; i < 101; ++i) many += "X: y\r\n";
  EXPECT_THAT(answer_to(many + "\r\n"), StartsWith("HTTP/1.1 400"));
}

TEST_F(BadHttp, ABodyThatComesWhileTheDaemonStopsIsHungUpOnAtOnce) {
  start();
  const std::string body = "{\"prompt\": \"a kettle\"}";
  RawConnection connection = over_socket();
  connection.send("POST /api/v1/generate HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: " +
                  std::to_string(body.size()) + "\r\n\r\n" + body.substr(0, 5));
  std::this_thread::sleep_for(100ms);
  std::jthread stopping([&] { daemon_->stop(); });
  while (std::filesystem::exists(config_.socket)) std::this_thread::sleep_for(1ms);
  std::this_thread::sleep_for(20ms);
  const auto began = std::chrono::steady_clock::now();
  connection.send(body.substr(5));
  EXPECT_EQ(connection.receive(), "");
  stopping.join();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 4s) << "nothing is waited for";
  stop();
}

TEST_F(BadHttp, Row2ABodyOverTheRoutesLimitIs413BeforeItIsRead) {
  start();
  const auto announced = [](const std::string& path, std::size_t size) {
    return "POST /api/v1/" + path +
           " HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
  };
  EXPECT_THAT(answer_to(announced("generate", api::kBodyBytesMax + 1)), StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(answer_to(announced("concepts", api::kAddBytesMax + 1)), StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(answer_to(announced("concepts", api::kBodyBytesMax + 1)), StartsWith("HTTP/1.1 408"))
      << "there it is waited for";
  std::string chunks =
      "POST /api/v1/generate HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 17; ++i) chunks += "10000\r\n" + std::string(0x10000, ' ') + "\r\n";
  EXPECT_THAT(answer_to(chunks), StartsWith("HTTP/1.1 413"));
}

TEST_F(BadHttp, BodiesShareTheRoomThatThereIs) {
  http_.bodies_bytes_max = 4u << 20, http_.body_grace = 60s;
  start();
  const std::string large =
      "POST /api/v1/concepts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: 3000000\r\nExpect: 100-continue\r\n\r\n";
  RawConnection first = over_socket();
  first.send(large);
  EXPECT_THAT(first.receive("\r\n\r\n"), StartsWith("HTTP/1.1 100"));
  EXPECT_EQ(status_of(answer_to(large)), 429);
  EXPECT_EQ(status().counts.concepts, 0) << "small requests go on";
  first.hang_up();
  for (int i = 0; i < 200; ++i, std::this_thread::sleep_for(20ms)) {
    RawConnection again = over_socket();
    again.send(large);
    if (again.receive("\r\n\r\n").starts_with("HTTP/1.1 100")) return;
  }
  FAIL() << "the room was not given back";
}

TEST_F(BadHttp, Row3WhatHasTwoReadingsIs400AndTheEnd) {
  start();
  const std::string post = "POST /api/v1/generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
  const std::string get = "GET /healthz HTTP/1.1\r\nHost: x\r\n";
  const std::string hidden = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::pair<const char*, std::string> kinds[] = {
      {"two lengths", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"},
      {"the same length twice", post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
      {"a list of lengths", post + "Content-Length: 5, 5\r\n\r\nhello"},
      {"a length with a sign", post + "Content-Length: +5\r\n\r\nhello"},
      {"a negative length", post + "Content-Length: -1\r\n\r\n"},
      {"a hexadecimal length", post + "Content-Length: 0x5\r\n\r\nhello"},
      {"an empty length", post + "Content-Length:\r\n\r\n"},
      {"a length over 64 bits", post + "Content-Length: 18446744073709551617\r\n\r\nh"},
      {"a length and chunks", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"chunks and a length", post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
      {"two encodings", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"},
      {"a list of encodings", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
      {"another encoding", post + "Transfer-Encoding: identity\r\n\r\n"},
      {"an encoding that almost is one", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
      {"chunks in HTTP/1.0", "POST /api/v1/generate HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"two hosts", get + "Host: y\r\n\r\n"},
      {"two tokens", get + "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n"},
      {"a bare CR in a value", get + "X: a\rContent-Length: 5\r\n\r\n"},
      {"a bare LF at the end of a line", get + "X: a\nContent-Length: 5\r\n\r\n"},
      {"a field that goes on", get + "X: a\r\n b\r\n\r\n"},
      {"a field that goes on after a tab", get + "X: a\r\n\tb\r\n\r\n"},
      {"a first field that goes on", "GET /healthz HTTP/1.1\r\n Host: x\r\n\r\n"},
      {"a space before the colon", get + "Content-Length : 5\r\n\r\nhello"},
      {"no name", get + ": a\r\n\r\n"},
      {"no colon", get + "hello\r\n\r\n"},
      {"a NUL", get + "X: a" + std::string(1, '\0') + "b\r\n\r\n"},
      {"a control character", get + "X: a\x01\r\n\r\n"},
      {"another version", "GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n"},
      {"no version", "GET /healthz\r\nHost: x\r\n\r\n"},
      {"a space too many", "GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"no request", "hello\r\n\r\n"},
  };
  for (const auto& [what, bytes] : kinds) {
    const std::string answer = answer_to(bytes + hidden);
    EXPECT_THAT(answer, testing::AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("Connection: close"))) << what;
    EXPECT_EQ(count(answer, "HTTP/1.1 "), 1) << what << ": nothing behind it is a request";
  }
}

TEST_F(BadHttp, Row3ChunksThatAreNoneAre400AndTheEnd) {
  start();
  const std::string head =
      "POST /api/v1/generate HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* chunk : {"fffffffffffffffff\r\n", "ffffffffffffffff1\r\nx", "x\r\n", "-1\r\nx\r\n",
                            " 5\r\nhello\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "\r\n"}) {
    const std::string answer = answer_to(head + chunk + "GET /healthz HTTP/1.1\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400")) << chunk;
    EXPECT_EQ(count(answer, "HTTP/1.1 "), 1) << chunk;
  }
  EXPECT_THAT(answer_to(head + "10\r\n{\"prompt\": \"a\"} \r\n0\r\n\r\n").substr(0, 12), "HTTP/1.1 200")
      << "such a one is read";
}

TEST_F(BadHttp, Row4GoOnIsSaidAfterTheTokenAndTheHeaderWereLookedAt) {
  start();
  const std::string secret = token("alice", "creator"), body = "{\"prompt\": \"a kettle\"}";
  const auto asks = [&](std::vector<std::string> fields, std::size_t size) {
    fields.insert(fields.end(), {"Expect: 100-continue", "Content-Type: application/json", "Connection: close",
                                 "Content-Length: " + std::to_string(size)});
    RawConnection connection = over_tcp();
    connection.send(request("POST /api/v1/generate", fields));
    return connection;
  };
  EXPECT_THAT(asks({}, body.size()).receive(), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(asks({bearer(secret), "Host: evil.example"}, body.size()).receive(), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(asks({bearer(secret)}, api::kBodyBytesMax + 1).receive(), StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(asks({bearer(secret), "Content-Encoding: gzip"}, body.size()).receive(), StartsWith("HTTP/1.1 415"));
  RawConnection good = asks({bearer(secret)}, body.size());
  EXPECT_THAT(good.receive("\r\n\r\n"), StartsWith("HTTP/1.1 100"));
  good.send(body);
  EXPECT_THAT(good.receive(), StartsWith("HTTP/1.1 200"));
  RawConnection silent = asks({bearer(secret)}, body.size());
  EXPECT_THAT(silent.receive(), testing::AllOf(StartsWith("HTTP/1.1 100"), HasSubstr("HTTP/1.1 408")))
      << "and silence ends it";
  EXPECT_THAT(answer_to(request("POST /api/v1/generate", {"Expect: 200-ok"}, body)), StartsWith("HTTP/1.1 417"));
}

TEST_F(BadHttp, Row4WhoHangsUpOverTheNetworkNeedsNoPictures) {
  std::atomic<int> step = 0;
  before_step_ = [&](int at) {
    step = at;
    std::this_thread::sleep_for(20ms);
  };
  start();
  const std::string secret = token("alice", "creator");
  RawConnection leaving = over_tcp();
  leaving.send(request("POST /api/v1/generate", {bearer(secret), "Content-Type: application/json"},
                       "{\"prompt\": \"a kettle\", \"steps\": 200, \"count\": 16}"));
  while (step < 2) std::this_thread::sleep_for(5ms);
  leaving.hang_up();
  for (int i = 0; i < 1000 && status().queue.running > 0; ++i) std::this_thread::sleep_for(5ms);
  EXPECT_EQ(status().queue.running, 0);
  EXPECT_LT(model_->steps, 400) << "of 3200";
}

TEST_F(BadHttp, Row5ACompressedBodyIs415) {
  start();
  for (const char* encoding : {"gzip", "br", "deflate", "zstd", "identity"})
    EXPECT_THAT(answer_to("POST /api/v1/generate HTTP/1.1\r\nContent-Encoding: " + std::string(encoding) +
                          "\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\nx"),
                StartsWith("HTTP/1.1 415"))
        << encoding;
}

// A thousand answers asked for and none read: the buffers between the two are soon full.
TEST_F(BadHttp, Row45WhoNeverReadsIsHungUpOn) {
  http_.answer = 300ms;
  start();
  RawConnection deaf = over_socket();
  std::string asked;
  for (int i = 0; i < 1000; ++i) asked += request("GET /metrics");
  ASSERT_TRUE(deaf.send(asked));
  EXPECT_FALSE(deaf.ends_within(200ms)) << "it is given its time";
  EXPECT_TRUE(deaf.ends_within(10s));
}

}  // namespace
}  // namespace conceptd::daemon::test
