// Following one job to its end: what watch, wait, add --wait and learn --wait have in common.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cli/command.h"
#include "daemon/api/jobs.h"

namespace conceptd::cli {

enum class Show {
  nothing,   // wait
  progress,  // a line that is drawn over itself, or, not on a terminal, a line now and then
  events,    // one JSON object a line, to out
};

struct Followed {
  api::JobInfo job{};
  bool timed_out = false;
};

// "7" is a job; anything else is a concept, whose open job it is, or its last. Error{not_found} if it has none.
std::int64_t job_of(const Client& client, const std::string& job_or_name);
// `also` sees the job each time it is looked at, and how it ended.
Followed follow(const Context& context, std::int64_t job, Show show, std::optional<double> timeout_s = {},
                const std::function<void(const Client&, const api::JobInfo&)>& also = {});
// Says how it ended, what to do next, and gives the exit status.
int report_end(const Context& context, const Followed& followed);
// " It learns when the window opens, 2026-11-24 00:00 UTC."; empty where it need not wait for that.
std::string when_it_learns(const api::JobInfo& job);
std::string progress_line(const api::JobInfo& job);

}  // namespace conceptd::cli
