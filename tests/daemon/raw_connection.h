// Bytes to a daemon as no client of ours would send them, over its socket or its port.
#pragma once
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>

namespace conceptd::daemon::test {

class RawConnection {
 public:
  explicit RawConnection(const std::filesystem::path& socket) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, socket.c_str());
    connect(AF_UNIX, reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  explicit RawConnection(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connect(AF_INET, reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  RawConnection(RawConnection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;
  ~RawConnection() { hang_up(); }

  // False: the daemon has hung up.
  bool send(const std::string& bytes) {
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  void hang_up() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  // Has the daemon hung up? Nothing is read.
  bool ends_within(std::chrono::milliseconds patience) const {
    pollfd end{.fd = fd_, .events = 0, .revents = 0};
    return ::poll(&end, 1, static_cast<int>(patience.count())) == 1 && (end.revents & (POLLHUP | POLLERR)) != 0;
  }
  // All that comes until the daemon hangs up, or until `marker` has come.
  std::string receive(const std::string& marker = {}, std::chrono::seconds patience = std::chrono::seconds(20)) {
    std::string got;
    const auto until = std::chrono::steady_clock::now() + patience;
    for (char piece[4096]; std::chrono::steady_clock::now() < until;) {
      pollfd end{.fd = fd_, .events = POLLIN, .revents = 0};
      if (::poll(&end, 1, 100) <= 0) continue;
      const ssize_t count = ::recv(fd_, piece, sizeof piece, 0);
      if (count <= 0) return got;
      got.append(piece, static_cast<std::size_t>(count));
      if (!marker.empty() && got.find(marker) != std::string::npos) return got;
    }
    return got + "[the daemon did not hang up]";
  }

 private:
  void connect(int family, const sockaddr* address, socklen_t size) {
    fd_ = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd_, address, size) != 0) throw std::runtime_error("nobody listens");
  }
  int fd_ = -1;
};

}  // namespace conceptd::daemon::test
