// Goal: whatever arrives on the socket, the answer is one of ours or the connection ends, and the next request works.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/daemon/daemon_fixture.h"

namespace conceptd::daemon::test {
namespace {

class Http : public DaemonTest {
 protected:
  // Sends bytes as they are and returns all that comes back until the daemon hangs up.
  std::string raw(const std::string& bytes) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, config_.socket.c_str());
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ::shutdown(fd, SHUT_WR);
    std::string answer(1 << 16, '\0');
    std::size_t size = 0;
    for (ssize_t got = 1; got > 0; size += got > 0 ? static_cast<std::size_t>(got) : 0)
      got = ::recv(fd, answer.data() + size, answer.size() - size, 0);
    ::close(fd);
    return answer.substr(0, size);
  }
  cli::Reply ask(const std::string& method, const std::string& path, const std::string& body = {}) {
    return client().exchange(method, path, body, 30s);
  }
};

TEST_F(Http, TheSocketIsForItsGroup) {
  start();
  struct stat info {};
  ASSERT_EQ(::stat(config_.socket.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
  stop();
  EXPECT_FALSE(std::filesystem::exists(config_.socket));
}

TEST_F(Http, ASocketLeftBehindIsReplaced) {
  start();
  const std::filesystem::path kept = folder_ / "kept.sock";
  std::filesystem::rename(config_.socket, kept);
  stop();
  std::filesystem::rename(kept, config_.socket);
  start();
  EXPECT_EQ(ask("GET", "/healthz").body, "{\"status\":\"ok\"}");
}

TEST_F(Http, ASocketThatSomebodyAnswersAtIsNotTaken) {
  start();
  Config other = config_;
  other.data_dir = folder_ / "other";
  Daemon second(other, clock_, parts());
  EXPECT_ERROR(second.start(), Code::busy, "another daemon listens at " + config_.socket.string());
  second.stop();
  EXPECT_EQ(ask("GET", "/healthz").status, 200) << "the first goes on";
}

TEST_F(Http, ASocketThatAnotherMadeIsLeftToIt) {
  start();
  std::filesystem::remove(config_.socket);
  Config other = config_;
  other.data_dir = folder_ / "other";
  Daemon second(other, clock_, parts());
  second.start();
  stop();
  EXPECT_EQ(ask("GET", "/healthz").status, 200) << "the second goes on";
  second.stop();
  EXPECT_FALSE(std::filesystem::exists(config_.socket));
}

TEST_F(Http, APartOfThePathIsDecodedOnce) {
  start();
  add_and_learn("kettle-7");
  EXPECT_EQ(ask("GET", "/api/v1/concepts/kettle%2D7").status, 200);
  const auto says = [&](const std::string& name) {
    try {
      client().get("concepts/" + cli::path_segment(name) + "/history");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("it was found");
  };
  EXPECT_EQ(says("kettle-7"), "it was found");
  EXPECT_THAT(says("My Mug"), HasSubstr("'My Mug' cannot be the name of a concept"));
  EXPECT_THAT(says("kettle/7"), HasSubstr("'kettle/7' cannot be"));
  EXPECT_THAT(says("x?y"), HasSubstr("'x?y' cannot be"));
  EXPECT_THAT(says("a+b"), HasSubstr("'a+b' cannot be"));
  EXPECT_THAT(says("%41"), HasSubstr("'%41' cannot be"));
  EXPECT_THAT(says("kettle-8"), HasSubstr("did you mean kettle-7?"));
  EXPECT_EQ(ask("GET", "/api/v1/concepts/%").status, 422);
  EXPECT_EQ(ask("GET", "/api/v1/concepts/%00").status, 422);
  EXPECT_EQ(ask("GET", "/api/v1/jobs?name=kettle%2d7&state=done").body.find("\"jobs\":[]"), std::string::npos);
}

TEST_F(Http, WhatIsNotThereIs404AndWhatDoesNotAnswerIs405) {
  start();
  EXPECT_EQ(ask("GET", "/").status, 404);
  EXPECT_EQ(ask("GET", "/api/v1/").status, 404);
  EXPECT_EQ(ask("GET", "/api/v1/concepts/a/b/c").status, 404);
  EXPECT_EQ(ask("GET", "/api/v1/concepts/../../etc/passwd").status, 404);
  EXPECT_EQ(ask("DELETE", "/api/v1/concepts").status, 405);
  EXPECT_EQ(ask("GET", "/api/v1/generate").status, 405);
  EXPECT_EQ(ask("GET", "/api/v1/concepts/nobody").status, 404);
  EXPECT_EQ(ask("GET", "/api/v1/concepts/NOBODY").status, 422);
  EXPECT_EQ(ask("GET", "/api/v1/jobs/1/preview.png").status, 404);
}

TEST_F(Http, ABodyThatIsNotOursIsRefused) {
  start();
  EXPECT_EQ(ask("POST", "/api/v1/generate", "not json").status, 422);
  EXPECT_EQ(ask("POST", "/api/v1/generate", "[]").status, 422);
  EXPECT_EQ(ask("POST", "/api/v1/generate", "{\"prompt\":\"a\",\"prompt\":\"b\"}").status, 422);
  EXPECT_EQ(ask("POST", "/api/v1/generate", std::string(100'000, '[')).status, 422);
  EXPECT_EQ(ask("POST", "/api/v1/generate", "{\"prompt\":\"\xff\xfe\"}").status, 422);
  EXPECT_EQ(ask("POST", "/api/v1/generate", std::string(api::kBodyBytesMax + 1, ' ')).status, 413);
  EXPECT_THAT(raw("POST /api/v1/generate HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{\"prompt\":\"a\"}"),
              HasSubstr("Content-Type must say so"));
  EXPECT_THAT(raw("POST /api/v1/generate HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx"),
              testing::StartsWith("HTTP/1.1 415"));
}

TEST_F(Http, BytesThatAreNotHttpEndTheConnectionAlone) {
  start();
  EXPECT_THAT(raw("hello\r\n\r\n"), testing::StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(raw("GET /healthz HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n"),
              testing::StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(raw("POST /api/v1/generate HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
              testing::StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(raw("POST /api/v1/generate HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
              testing::Not(HasSubstr("200 OK")));
  EXPECT_EQ(raw(""), "");
  EXPECT_EQ(raw("GET /heal"), "");
  EXPECT_EQ(ask("GET", "/healthz").status, 200);
}

TEST_F(Http, AConnectionServesManyRequests) {
  start();
  const std::string one = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string answers = raw(one + one + "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::size_t count = 0;
  for (std::size_t at = answers.find("200 OK"); at != std::string::npos; at = answers.find("200 OK", at + 1)) ++count;
  EXPECT_EQ(count, 3u);
}

TEST_F(Http, ManyClientsAtOnceAreAllAnswered) {
  start();
  add_and_learn("kettle-7");
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 16; ++i)
    threads.emplace_back([&, i] {
      for (int k = 0; k < 5; ++k) good += ask("GET", i % 2 ? "/api/v1/concepts" : "/api/v1/status").status == 200;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 80);
}

}  // namespace
}  // namespace conceptd::daemon::test
