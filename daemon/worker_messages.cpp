#include "daemon/worker_messages.h"

#include <algorithm>
#include <cereal/archives/portable_binary.hpp>
#include <cereal/types/variant.hpp>
#include <sstream>

#include "core/error.h"

namespace conceptd::daemon {

namespace {

constexpr std::uint64_t kPieceBytes = 1 << 20;
constexpr std::uint64_t kItemsMax = 100'000;

// A text or bytes. cereal's own reader makes room for as much as the other process claims; this one for as much as has
// come.
template <typename Archive>
void text(Archive& archive, std::string& value) {
  std::uint64_t size = value.size();
  archive(size);
  if constexpr (Archive::is_loading::value) {
    value.clear();
    for (std::uint64_t read = 0; read < size;) {
      const std::uint64_t piece = std::min(size - read, kPieceBytes);
      value.resize(read + piece);
      archive(cereal::binary_data(value.data() + read, piece));
      read += piece;
    }
  } else {
    archive(cereal::binary_data(value.data(), size));
  }
}

template <typename Archive, typename... Texts>
void texts(Archive& archive, Texts&... values) {
  (text(archive, values), ...);
}

// A byte that is neither 0 nor 1 is no bool, and may not even be looked at as one.
template <typename Archive>
void flag(Archive& archive, bool& value) {
  std::uint8_t byte = 0;
  if constexpr (!Archive::is_loading::value) byte = value ? 1 : 0;
  archive(byte);
  if (byte > 1) throw Error(Code::corrupt, "a flag is " + std::to_string(byte));
  if constexpr (Archive::is_loading::value) value = byte == 1;
}

template <typename Archive>
void texts_of(Archive& archive, std::vector<std::string>& values) {
  std::uint64_t count = values.size();
  archive(count);
  if (count > kItemsMax) throw Error(Code::corrupt, "it lists " + std::to_string(count) + " items");
  values.resize(count);
  for (std::string& value : values) text(archive, value);
}

}  // namespace

template <typename Archive>
void serialize(Archive& archive, LearnOrder& m) {
  archive(m.job, m.seed, m.threads, m.memory_bytes_max);
  flag(archive, m.light_gate), flag(archive, m.published_is_draft);
  texts(archive, m.name, m.class_word, m.method, m.settings, m.base_folder, m.base_fingerprint, m.dtype, m.checkpoint,
        m.gate, m.published);
  texts_of(archive, m.photos);
}

template <typename Archive>
void serialize(Archive& archive, ProbeOrder& m) {
  archive(m.threads, m.memory_bytes_max);
  texts(archive, m.name, m.class_word, m.delta, m.base_folder, m.base_fingerprint, m.dtype);
  texts_of(archive, m.photos);
}

template <typename Archive>
void serialize(Archive& archive, ConsolidateOrder& m) {
  archive(m.threads, m.memory_bytes_max);
  texts(archive, m.base_folder, m.base_fingerprint, m.dtype);
  texts_of(archive, m.names), texts_of(archive, m.deltas), texts_of(archive, m.photos);
}

template <typename Archive>
void serialize(Archive& archive, EvaluateOrder& m) {
  archive(m.seeds, m.threads, m.memory_bytes_max);
  texts(archive, m.name, m.class_word, m.delta, m.words, m.base_folder, m.base_fingerprint, m.dtype);
  texts_of(archive, m.photos), texts_of(archive, m.prompts);
}

template <typename Archive>
void serialize(Archive& archive, WorkerEvaluation& m) {
  texts(archive, m.measures, m.sheet_png);
}

template <typename Archive>
void serialize(Archive& archive, WorkerProbe& m) {
  archive(m.count, m.identity, m.fidelity);
  texts(archive, m.pictures, m.conditions);
}

template <typename Archive>
void serialize(Archive& archive, WorkerProgress& m) {
  archive(m.step, m.steps, m.loss, m.eta_s);
  text(archive, m.message);
}

template <typename Archive>
void serialize(Archive& archive, WorkerPreview& m) {
  text(archive, m.png);
}

template <typename Archive>
void serialize(Archive& archive, WorkerCheckpoint& m) {
  texts(archive, m.bytes);
}

template <typename Archive>
void serialize(Archive& archive, WorkerResult& m) {
  flag(archive, m.accepted);
  texts(archive, m.delta, m.settings, m.metrics, m.verdict_reason);
}

template <typename Archive>
void serialize(Archive& archive, WorkerFailure& m) {
  flag(archive, m.hopeless);
  texts(archive, m.code, m.message, m.field);
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
