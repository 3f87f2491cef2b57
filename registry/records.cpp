#include "registry/records.h"

#include <array>
#include <utility>

#include "core/error.h"

namespace conceptd::registry {
namespace {

// The words of an enum, in the order of its values; the same in SQL, JSON and on the command line.
constexpr std::array<std::string_view, 4> kJobKinds{"learn", "consolidate", "evaluate", "import"};
constexpr std::array<std::string_view, 5> kJobStates{"queued", "running", "done", "failed", "cancelled"};
constexpr std::array<std::string_view, 2> kVerdicts{"accepted", "rejected"};

template <typename Enum, std::size_t n>
Enum parse(const std::array<std::string_view, n>& words, std::string_view text, const std::string& what) {
  std::string all;
  for (std::size_t i = 0; i < n; ++i) {
    if (words[i] == text) return static_cast<Enum>(i);
    all += (i ? ", " : "") + std::string(words[i]);
  }
  throw Error(Code::invalid,
              "no " + what + " is called '" + std::string(text.substr(0, 40)) + "' (there are " + all + ")");
}

}  // namespace

std::string_view to_string(JobKind kind) noexcept { return kJobKinds[static_cast<std::size_t>(kind)]; }
std::string_view to_string(JobState state) noexcept { return kJobStates[static_cast<std::size_t>(state)]; }
std::string_view to_string(Verdict verdict) noexcept { return kVerdicts[static_cast<std::size_t>(verdict)]; }
JobKind job_kind_from_string(std::string_view text) { return parse<JobKind>(kJobKinds, text, "kind of job"); }
JobState job_state_from_string(std::string_view text) { return parse<JobState>(kJobStates, text, "state of a job"); }
Verdict verdict_from_string(std::string_view text) { return parse<Verdict>(kVerdicts, text, "verdict"); }

}  // namespace conceptd::registry
