#include "daemon/worker_messages.h"

#include <cereal/archives/portable_binary.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/variant.hpp>
#include <cereal/types/vector.hpp>
#include <sstream>

#include "core/error.h"

namespace conceptd::daemon {

template <typename Archive>
void serialize(Archive& archive, LearnOrder& m) {
  archive(m.job, m.name, m.class_word, m.method, m.settings, m.seed, m.photos, m.base_folder, m.base_fingerprint,
          m.dtype, m.threads, m.memory_bytes_max, m.checkpoint);
}

template <typename Archive>
void serialize(Archive& archive, WorkerProgress& m) {
  archive(m.step, m.steps, m.loss, m.eta_s, m.message);
}

template <typename Archive>
void serialize(Archive& archive, WorkerPreview& m) {
  archive(m.png);
}

template <typename Archive>
void serialize(Archive& archive, WorkerCheckpoint& m) {
  archive(m.bytes);
}

template <typename Archive>
void serialize(Archive& archive, WorkerResult& m) {
  archive(m.delta, m.settings, m.metrics);
}

template <typename Archive>
void serialize(Archive& archive, WorkerFailure& m) {
  archive(m.code, m.message, m.field, m.hopeless);
}

namespace {

template <typename Message>
std::string packed(const Message& message) {
  std::ostringstream out(std::ios::binary);
  cereal::PortableBinaryOutputArchive archive(out);
  archive(message);
  return std::move(out).str();
}

template <typename Message>
Message unpacked(std::string_view bytes) {
  try {
    std::istringstream in(std::string(bytes), std::ios::binary);
    cereal::PortableBinaryInputArchive archive(in);
    Message message;
    archive(message);
    return message;
  } catch (const std::exception& error) {
    throw Error(Code::corrupt, std::string("a message between daemon and worker does not add up: ") + error.what());
  }
}

}  // namespace

std::string pack(const ToWorker& message) { return packed(message); }
std::string pack(const FromWorker& message) { return packed(message); }
ToWorker unpack_to_worker(std::string_view bytes) { return unpacked<ToWorker>(bytes); }
FromWorker unpack_from_worker(std::string_view bytes) { return unpacked<FromWorker>(bytes); }

}  // namespace conceptd::daemon
