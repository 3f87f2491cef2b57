#include "learner/evaluate/kept_deltas.h"

#include <ctime>
#include <limits>

#include "core/file_io.h"
#include "learner/run_state.h"

namespace conceptd::evaluate {

namespace {
constexpr const char* kSecondsNote = "conceptd.eval.cpu_seconds";
constexpr const char* kPassesNote = "conceptd.eval.passes";

// Of all threads: beside other work a clock on the wall says nothing.
double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double noted(const diffusion::Delta& delta, const char* note) {
  const auto found = delta.notes.find(note);
  return found == delta.notes.end() ? std::numeric_limits<double>::quiet_NaN() : std::stod(found->second);
}
}  // namespace

KeptDelta learn_or_recall(const std::string& method, const learner::LearnRequest& request,
                          learner::LearnContext& context, const std::filesystem::path& folder) {
  const auto asked = learner::run_digest(method, request, context.bundle).short_hex();
  const auto path = folder / (request.name + "-" + method + "-" + asked + ".safetensors");
  if (!folder.empty() && std::filesystem::exists(path)) {
    KeptDelta kept{diffusion::parse_delta(read_file(path, diffusion::kDeltaBytesMax), path.string())};
    kept.seconds = noted(kept.delta, kSecondsNote), kept.passes = noted(kept.delta, kPassesNote);
    kept.delta.notes.erase(kSecondsNote), kept.delta.notes.erase(kPassesNote);  // ours, and no bytes of the delta
    return kept;
  }
  const auto began = cpu_seconds();
  const auto now = learner::make_learner(method)->learn(request, context);
  KeptDelta learnt{.delta = now.delta, .seconds = cpu_seconds() - began, .passes = now.metrics.at("unet_passes")};
  if (folder.empty()) return learnt;
  std::filesystem::create_directories(folder);
  auto kept = learnt.delta;
  kept.notes[kSecondsNote] = std::to_string(learnt.seconds);
  kept.notes[kPassesNote] = std::to_string(learnt.passes);
  write_file_durably(path, diffusion::delta_bytes(kept));
  return learnt;
}

}  // namespace conceptd::evaluate
