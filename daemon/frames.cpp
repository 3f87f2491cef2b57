#include "daemon/frames.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.h"

namespace conceptd::daemon {
namespace {

constexpr std::string_view kMagic = "CNC1";
constexpr std::size_t kHeaderBytes = 12;
constexpr timeval kSendTimeout{.tv_sec = 60, .tv_usec = 0};

std::uint32_t crc_of(std::string_view bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

void append_u32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xff));
}

std::uint32_t u32_at(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

Error gone(const char* doing) { return Error(Code::unavailable, std::string(doing) + ": " + std::strerror(errno)); }

}  // namespace

FrameChannel::~FrameChannel() {
  if (fd_ >= 0) ::close(fd_);
}

FrameChannel::FrameChannel(FrameChannel&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), payload_max_(other.payload_max_), buffer_(std::move(other.buffer_)) {}

void FrameChannel::send(std::string_view payload) {
  if (payload.size() > kPayloadMax) throw Error(Code::exhausted, "a message between daemon and worker is too large");
  std::string frame(kMagic);
  append_u32(frame, static_cast<std::uint32_t>(payload.size()));
  append_u32(frame, crc_of(payload));
  frame += payload;
  for (std::size_t sent = 0; sent < frame.size();) {
    const ssize_t written = ::send(fd_, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) throw gone("speaking to the other process");
    sent += static_cast<std::size_t>(written);
  }
}

bool FrameChannel::take(std::string& payload) {
  const std::size_t known = std::min(buffer_.size(), kMagic.size());
  if (buffer_.compare(0, known, kMagic.substr(0, known)) != 0)
    throw Error(Code::corrupt, "the other process sent something that is not a frame");
  if (buffer_.size() < kHeaderBytes) return false;
  const std::size_t length = u32_at(buffer_, 4);
  if (length > payload_max_) throw Error(Code::corrupt, "the other process announced a frame that is too large");
  if (buffer_.size() < kHeaderBytes + length) return false;
  payload = buffer_.substr(kHeaderBytes, length);
  if (crc_of(payload) != u32_at(buffer_, 8)) throw Error(Code::corrupt, "a frame's checksum is wrong");
  buffer_.erase(0, kHeaderBytes + length);
  return true;
}

Received FrameChannel::receive(std::string& payload, std::chrono::milliseconds timeout) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    if (take(payload)) return Received::message;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) throw gone("listening to the other process");
    if (ready == 0) return Received::timeout;
    std::array<char, 65536> piece;
    const ssize_t got = ::recv(fd_, piece.data(), piece.size(), 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) {  // the end, or a reset by a process that died
      if (!buffer_.empty()) throw Error(Code::corrupt, "the other process ended in the middle of a frame");
      return Received::closed;
    }
    buffer_.append(piece.data(), static_cast<std::size_t>(got));
  }
}

ChannelPair make_channels(std::size_t our_payload_max) {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) throw gone("making a socket pair");
  ChannelPair pair{FrameChannel(fds[0], our_payload_max), FrameChannel(fds[1])};
  ::setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &kSendTimeout, sizeof kSendTimeout);
  ::setsockopt(fds[1], SOL_SOCKET, SO_SNDTIMEO, &kSendTimeout, sizeof kSendTimeout);
  return pair;
}

}  // namespace conceptd::daemon
