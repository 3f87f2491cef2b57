// Photos from strangers, decoded where a crash harms nobody: in a child process that may do nothing else (confine.h).
// Decoding a photo whole is how the daemon knows that it can be learnt from; only facts come back, no pixel.
#pragma once
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/picture/photo_facts.h"

namespace conceptd::daemon {

class WorkerProcess;

struct DecoderSettings {
  std::vector<std::string> command{};  // its first word is a path
  picture::Limits limits{};
  std::chrono::milliseconds photo_timeout{30'000};
  std::chrono::milliseconds start_timeout{30'000};
};

// One child, for the photos of one request: what one request does to it no other sees.
class PhotoDecoder {
 public:
  // Error{unavailable} if it cannot be started or does not answer.
  explicit PhotoDecoder(DecoderSettings settings);
  ~PhotoDecoder();
  PhotoDecoder(const PhotoDecoder&) = delete;
  PhotoDecoder& operator=(const PhotoDecoder&) = delete;

  // Error{invalid} if it is not a photo within the limits, or if the child crashed over it, took too long or ran out of
  // memory; after one of those the child is gone, and this object with it.
  picture::PhotoFacts examine(std::string_view photo);

 private:
  Error lost(const std::string& how);

  const DecoderSettings settings_;
  std::unique_ptr<WorkerProcess> process_;  // null: lost
};

// conceptd-decode, beside the program or in ../libexec/conceptd. Error{unavailable} if it is nowhere.
std::filesystem::path find_decode_program(const std::filesystem::path& program = "/proc/self/exe");

}  // namespace conceptd::daemon
