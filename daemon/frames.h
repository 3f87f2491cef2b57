// Messages between the daemon and its worker: a stream socket cut into frames, each with its length and a checksum, so
// that whatever a dying process left half said is seen as what it is.
//
//   magic "CNC1" | length of the payload, u32 | CRC-32 of the payload, u32 | payload          (all big-endian)
#pragma once
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace conceptd::daemon {

// The descriptor on which a child of the daemon finds its channel.
inline constexpr int kWorkerFd = 3;

enum class Received { message, timeout, closed };

class FrameChannel {
 public:
  static constexpr std::size_t kPayloadMax = 256u << 20;

  // payload_max: of what is received; a frame that announces more is not read.
  explicit FrameChannel(int fd, std::size_t payload_max = kPayloadMax) noexcept : fd_(fd), payload_max_(payload_max) {}
  ~FrameChannel();
  FrameChannel(FrameChannel&& other) noexcept;
  FrameChannel(const FrameChannel&) = delete;
  FrameChannel& operator=(const FrameChannel&) = delete;

  // Error{unavailable} if the other side is gone or does not read for a minute.
  void send(std::string_view payload);
  // `closed` only between two frames; inside one, or where the bytes do not add up, it is Error{corrupt}. A timeout
  // loses nothing.
  Received receive(std::string& payload, std::chrono::milliseconds timeout);
  int fd() const noexcept { return fd_; }

 private:
  bool take(std::string& payload);  // a whole frame from buffer_, if there is one
  int fd_;
  std::size_t payload_max_;
  std::string buffer_;
};

// Two connected channels; the second's descriptor is for a child.
struct ChannelPair {
  FrameChannel ours;
  FrameChannel theirs;
};
ChannelPair make_channels(std::size_t our_payload_max = FrameChannel::kPayloadMax);

}  // namespace conceptd::daemon
