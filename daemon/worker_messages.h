// What daemon and worker say to each other, as cereal packs it. Never stored, never sent to another release: both ends
// are one binary.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace conceptd::daemon {

// The job. Photos are files as they were uploaded; the worker decodes them again.
struct LearnOrder {
  std::int64_t job = 0;
  std::string name{};
  std::string class_word{};
  std::string method{};
  std::string settings{};  // JSON
  std::uint64_t seed = 0;
  std::vector<std::string> photos{};
  std::string base_folder{};
  std::string base_fingerprint{};  // what the daemon serves; another one is refused
  std::string dtype{};
  std::int32_t threads = 0;
  std::int64_t memory_bytes_max = 0;  // of the worker's own data; 0: no limit
  std::string checkpoint{};           // of the attempt before; empty: from the start
  std::string gate = "block";         // of api::kGateModes
  std::string published{};            // the delta that is live, to be measured beside; empty: none
};

enum class Control : std::uint8_t { pause, resume, cancel };

using ToWorker = std::variant<LearnOrder, Control>;

struct WorkerProgress {
  std::int64_t step = 0;
  std::int64_t steps = 0;
  double loss = 0;
  double eta_s = -1;
  std::string message{};
};

struct WorkerPreview {
  std::string png{};
};

struct WorkerCheckpoint {
  std::string bytes{};
};

struct WorkerResult {
  std::string delta{};
  std::string settings{};  // JSON: with what it was learnt
  std::string metrics{};   // JSON
  bool accepted = true;    // by the gate
  std::string verdict_reason = "not judged";
};

struct WorkerFailure {
  std::string code{};  // to_string(Code)
  std::string message{};
  std::string field{};
  bool hopeless = false;  // another attempt would end the same way
};

using FromWorker = std::variant<WorkerProgress, WorkerPreview, WorkerCheckpoint, WorkerResult, WorkerFailure>;

std::string pack(const ToWorker& message);
std::string pack(const FromWorker& message);
// Error{corrupt} for anything that pack() did not make.
ToWorker unpack_to_worker(std::string_view bytes);
FromWorker unpack_from_worker(std::string_view bytes);

}  // namespace conceptd::daemon
