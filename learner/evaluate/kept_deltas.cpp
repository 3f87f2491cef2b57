#include "learner/evaluate/kept_deltas.h"

#include <chrono>

#include "core/file_io.h"
#include "learner/run_state.h"

namespace conceptd::evaluate {

namespace {
constexpr const char* kSecondsNote = "conceptd.eval.seconds";
}  // namespace

KeptDelta learn_or_recall(const std::string& method, const learner::LearnRequest& request,
                          learner::LearnContext& context, const std::filesystem::path& folder) {
  const auto asked = learner::run_digest(method, request, context.bundle.fingerprint).short_hex();
  const auto path = folder / (request.name + "-" + method + "-" + asked + ".safetensors");
  if (!folder.empty() && std::filesystem::exists(path)) {
    KeptDelta kept{diffusion::parse_delta(read_file(path, diffusion::kDeltaBytesMax), path.string())};
    kept.seconds = std::stod(kept.delta.notes.at(kSecondsNote));
    return kept;
  }
  const auto began = std::chrono::steady_clock::now();
  KeptDelta learnt{learner::make_learner(method)->learn(request, context).delta};
  learnt.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (folder.empty()) return learnt;
  std::filesystem::create_directories(folder);
  auto noted = learnt.delta;
  noted.notes[kSecondsNote] = std::to_string(learnt.seconds);
  write_file_durably(path, diffusion::delta_bytes(noted));
  return learnt;
}

}  // namespace conceptd::evaluate
