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
  bool light_gate = false;            // fewer and quicker pictures
  std::string published{};            // the delta that is live, to be measured beside; empty: none
  bool published_is_draft = false;
};

// Draw what the gate draws of one concept, and measure it. Many may follow each other in one process.
struct ProbeOrder {
  std::string name{};
  std::string class_word{};
  std::string delta{};
  std::vector<std::string> photos{};  // empty: it was learnt elsewhere
  std::string base_folder{};
  std::string base_fingerprint{};
  std::string dtype{};
  std::int32_t threads = 0;
  std::int64_t memory_bytes_max = 0;
};

// Make one delta of those of many concepts, of which the i-th is names[i] with deltas[i] and photos[i].
// Answered with a WorkerResult, whose verdict is that of consolidation's own gate.
struct ConsolidateOrder {
  std::vector<std::string> names{};  // sorted
  std::vector<std::string> deltas{};
  std::vector<std::string> photos{};  // the first that it was learnt from; empty: it was learnt elsewhere
  std::string base_folder{};
  std::string base_fingerprint{};
  std::string dtype{};
  std::int32_t threads = 0;
  std::int64_t memory_bytes_max = 0;
};

// Measure what a version draws, beside what the base draws without it.
struct EvaluateOrder {
  std::string name{};
  std::string class_word{};
  std::string delta{};
  std::vector<std::string> photos{};   // empty: it was learnt elsewhere
  std::string words{};                 // empty: none
  std::vector<std::string> prompts{};  // empty: the gate's
  std::int32_t seeds = 0;
  std::string base_folder{};
  std::string base_fingerprint{};
  std::string dtype{};
  std::int32_t threads = 0;
  std::int64_t memory_bytes_max = 0;
};

enum class Control : std::uint8_t { pause, resume, cancel };

using ToWorker = std::variant<LearnOrder, Control, ProbeOrder, ConsolidateOrder, EvaluateOrder>;

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

struct WorkerProbe {
  std::string pictures{};  // SHA-256 of all that was drawn, in hex
  std::int32_t count = 0;
  std::string conditions{};  // in one line: who draws the same bytes says the same
  double identity = 0;       // not a number: there were no photos
  double fidelity = 0;
};

struct WorkerEvaluation {
  std::string measures{};  // JSON of api::EvaluationMeasures
  std::string sheet_png{};
};

using FromWorker = std::variant<WorkerProgress, WorkerPreview, WorkerCheckpoint, WorkerResult, WorkerFailure,
                                WorkerProbe, WorkerEvaluation>;

std::string pack(const ToWorker& message);
std::string pack(const FromWorker& message);
// Error{corrupt} for anything that pack() did not make.
ToWorker unpack_to_worker(std::string_view bytes);
FromWorker unpack_from_worker(std::string_view bytes);

}  // namespace conceptd::daemon
