#include "daemon/photo_decoder.h"

#include "core/error.h"
#include "core/log.h"
#include "daemon/decode_messages.h"
#include "daemon/worker_process.h"

namespace conceptd::daemon {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {
constexpr auto kLastWords = 1s;  // for a process whose end of the channel is closed to be gone altogether
}  // namespace

PhotoDecoder::PhotoDecoder(DecoderSettings settings)
    : settings_(std::move(settings)),
      process_(std::make_unique<WorkerProcess>(settings_.command, kDecodeAnswerBytesMax)) {
  const std::string limits = pack(settings_.limits);
  std::string why = "its answer is not that of conceptd-decode", echoed;
  try {
    process_->channel().send(limits);
    const Received received = process_->channel().receive(echoed, settings_.start_timeout);
    if (received == Received::message && echoed == limits) return;
    if (received != Received::message) why = process_->end(received == Received::timeout ? 0ms : kLastWords);
  } catch (const Error& error) {
    // One that has ended already cannot be spoken to; how it ended says more than that.
    why = error.code() == Code::unavailable ? process_->end(kLastWords) : error.what();
  }
  throw Error(Code::unavailable, "the program that decodes photos, " + settings_.command.front() +
                                     ", cannot be used: " + why + "; the daemon's log says more");
}

PhotoDecoder::~PhotoDecoder() = default;

Error PhotoDecoder::lost(const std::string& how) {
  spdlog::warn("a photo ended the process that decoded it: {}", how);
  process_.reset();
  return Error(Code::invalid, "decoding it failed hard (" + how +
                                  "); leave it out, or open it in a picture program and save it again");
}

picture::PhotoFacts PhotoDecoder::examine(std::string_view photo) {
  if (!process_) throw Error(Code::internal, "the process that decodes photos is gone");
  std::string bytes;
  Received received = Received::closed;
  DecodeAnswer answer;
  try {
    process_->channel().send(photo);
    received = process_->channel().receive(bytes, settings_.photo_timeout);
    if (received == Received::message) answer = unpack_decode_answer(bytes, settings_.limits);
  } catch (const Error& error) {
    if (error.code() == Code::corrupt) throw lost("the process said nonsense");
    received = Received::closed;
  }
  if (received == Received::timeout)
    throw lost("it took longer than " +
               std::to_string(std::chrono::duration_cast<std::chrono::seconds>(settings_.photo_timeout).count()) +
               " s");
  if (received == Received::closed) throw lost(process_->end(kLastWords));
  if (const auto* refused = std::get_if<PhotoRefused>(&answer)) throw Error(Code::invalid, refused->message);
  return std::get<picture::PhotoFacts>(answer);
}

fs::path find_decode_program(const fs::path& program) {
  std::error_code ignored;
  const fs::path folder = fs::weakly_canonical(program, ignored).parent_path();
  for (const fs::path& place : {folder / "conceptd-decode", folder.parent_path() / "libexec/conceptd/conceptd-decode"})
    if (fs::exists(place, ignored)) return place;
  throw Error(Code::unavailable, "conceptd-decode, the program that decodes photos, is neither beside conceptd in " +
                                     folder.string() + " nor in ../libexec/conceptd; install conceptd again");
}

}  // namespace conceptd::daemon
