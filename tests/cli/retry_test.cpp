// Goal: a request that a daemon hung up on is sent again by itself, under the key of the first; nothing else is.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "tests/cli/commands_fixture.h"

namespace conceptd::cli {
namespace {

// Hangs up on the first requests, answers those that come later; keeps the heads of all.
class Unsteady {
 public:
  Unsteady(const std::string& path, int hang_ups) : hang_ups_(hang_ups) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    fd_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(fd_, 8) != 0)
      throw std::runtime_error("cannot listen");
    thread_ = std::thread([this] { serve(); });
  }
  ~Unsteady() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  std::vector<std::string> heads() {
    const std::lock_guard lock(mutex_);
    return heads_;
  }

 private:
  void serve() {
    for (int client; (client = ::accept(fd_, nullptr, nullptr)) >= 0; ::close(client)) {
      std::string got;
      char piece[4096];
      while (got.find("\r\n\r\n{}") == std::string::npos) {
        const ssize_t count = ::recv(client, piece, sizeof piece, 0);
        if (count <= 0) break;
        got.append(piece, static_cast<std::size_t>(count));
      }
      const std::lock_guard lock(mutex_);
      heads_.push_back(got);
      const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"paused\":null}";
      if (static_cast<int>(heads_.size()) > hang_ups_) (void)!::send(client, answer.data(), answer.size(), 0);
    }
  }
  const int hang_ups_;
  int fd_ = -1;
  std::thread thread_;
  std::mutex mutex_;
  std::vector<std::string> heads_;
};

std::string key_in(const std::string& head) {
  const std::size_t at = head.find("Idempotency-Key: ");
  return at == std::string::npos ? "" : head.substr(at + 17, head.find("\r\n", at) - at - 17);
}

TEST(Retry, ARequestThatWasHungUpOnIsSentAgainUnderItsKey) {
  const test::TempFolder folder;
  Unsteady daemon(folder / "s", 1);
  EXPECT_NO_THROW(Client(folder / "s").post("learning/resume", Json::object()));
  const auto heads = daemon.heads();
  ASSERT_EQ(heads.size(), 2u);
  EXPECT_EQ(heads[0], heads[1]);
  EXPECT_EQ(key_in(heads[0]).size(), 32u);
  EXPECT_NO_THROW(Client(folder / "s").post("learning/resume", Json::object()));
  EXPECT_NE(key_in(daemon.heads().back()), key_in(heads[0])) << "what is meant anew has a key of its own";
}

TEST(Retry, EndsAfterThreeTimesWithWhatWasSeenFirst) {
  const test::TempFolder folder;
  Unsteady daemon(folder / "s", 100);
  EXPECT_ERROR(Client(folder / "s").post("learning/resume", Json::object()), Code::unavailable, "hung up");
  EXPECT_EQ(daemon.heads().size(), 3u);
}

TEST(Retry, ADaemonThatIsNotThereIsSaidAtOnce) {
  const test::TempFolder folder;
  const auto began = std::chrono::steady_clock::now();
  EXPECT_ERROR(Client(folder / "s").post("learning/resume", Json::object()), Code::unavailable, "no daemon answers");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(400));
}

}  // namespace
}  // namespace conceptd::cli
