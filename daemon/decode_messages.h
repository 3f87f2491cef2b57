// What the daemon and the process that decodes photos say to each other, in frames: the daemon sends the limits as JSON
// and then one photo a frame, its bytes and nothing else; the process answers each frame with a JSON object. JSON, not
// cereal, because the daemon must not believe this process: what it says is short, parsed strictly and judged again.
#pragma once
#include <string>
#include <string_view>
#include <variant>

#include "core/picture/photo_facts.h"

namespace conceptd::daemon {

struct PhotoRefused {
  std::string message{};
};
using DecodeAnswer = std::variant<picture::PhotoFacts, PhotoRefused>;

inline constexpr std::size_t kDecodeAnswerBytesMax = 4096;

std::string pack(const picture::Limits& limits);
std::string pack(const DecodeAnswer& answer);
// Error{corrupt} for anything that pack() did not make; facts that break the limits are that too.
picture::Limits unpack_limits(std::string_view bytes);
DecodeAnswer unpack_decode_answer(std::string_view bytes, const picture::Limits& limits);

}  // namespace conceptd::daemon
