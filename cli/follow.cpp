#include "cli/follow.h"

#include <algorithm>
#include <ostream>
#include <thread>

#include "cli/progress.h"
#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

using namespace std::chrono_literals;
using Monotonic = std::chrono::steady_clock;

constexpr auto kPoll = 300ms;

api::JobInfo job_now(const Client& client, std::int64_t id) {
  return api::decode_answer<api::JobAnswer>(client.get("jobs/" + std::to_string(id))).job;
}

// Draws, or says, or prints; nothing twice.
class Display {
 public:
  Display(const Context& context, Show show) : context_(context), show_(show), progress_(context) {}
  void update(const api::JobInfo& job) {
    if (show_ == Show::nothing) return;
    const std::string line = show_ == Show::events ? api::encode(api::JobAnswer{job}).dump() : progress_line(job);
    if (show_ == Show::progress) {
      progress_.say(line, job.state != state_);
    } else if (line != last_) {
      context_.out << line << std::endl;
    }
    state_ = job.state;
    last_ = line;
  }

 private:
  const Context& context_;
  const Show show_;
  ProgressLine progress_;
  std::string last_, state_;
};

}  // namespace

std::int64_t job_of(const Client& client, const std::string& text) {
  const bool number = !text.empty() && text.size() <= 15 &&
                      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (number) return std::stoll(text);
  const auto detail = api::decode_answer<api::ConceptDetail>(client.get("concepts/" + path_segment(text)));
  if (detail.summary.active_job) return *detail.summary.active_job;
  if (detail.last_job) return detail.last_job->id;
  throw Error(Code::not_found, text + " has no job; start one with: conceptctl learn " + text);
}

std::string when_it_learns(const api::JobInfo& job) {
  return job.waits_until ? " It learns when the window opens, " + human_time(*job.waits_until) + " UTC." : "";
}

std::string progress_line(const api::JobInfo& job) {
  std::string line = "job " + std::to_string(job.id) + " " + printable(job.name) + ": ";
  if (job.state == "queued") {
    line +=
        "queued" + (job.queue_position > 0 ? ", number " + std::to_string(job.queue_position) + " in the queue" : "");
    if (job.waits_until) line += ", until " + human_time(*job.waits_until) + " UTC";
    if (job.deadline) line += ", to begin by " + human_time(*job.deadline) + " UTC";
    if (job.attempts > 0) line += ", after " + count_of(job.attempts, "attempt");
    return line;
  }
  if (job.state != "running") return line + printable(job.state);
  if (job.progress.steps == 0)
    return line + (job.progress.message.empty() ? "starting" : printable(job.progress.message));
  line += progress_bar(static_cast<double>(job.progress.step) / job.progress.steps) + " step " +
          std::to_string(job.progress.step) + "/" + std::to_string(job.progress.steps);
  if (job.progress.loss) line += ", loss " + human_number(*job.progress.loss);
  if (job.progress.eta_s && *job.progress.eta_s >= 0) line += ", " + human_seconds(*job.progress.eta_s) + " left";
  return line;
}

Followed follow(const Context& context, std::int64_t id, Show show, std::optional<double> timeout_s,
                const std::function<void(const Client&, const api::JobInfo&)>& also) {
  const Client client = context.client();
  const auto began = Monotonic::now();
  Display display(context, show);
  for (;;) {
    Followed followed{.job = job_now(client, id), .timed_out = false};
    display.update(followed.job);
    if (also) also(client, followed.job);
    if (followed.job.is_over()) return followed;
    const double passed = std::chrono::duration<double>(Monotonic::now() - began).count();
    if (timeout_s && passed >= *timeout_s) {
      followed.timed_out = true;
      return followed;
    }
    std::this_thread::sleep_for(kPoll);
  }
}

int report_end(const Context& context, const Followed& followed) {
  const api::JobInfo& job = followed.job;
  const std::string name = printable(job.name), title = "job " + std::to_string(job.id) + " (" + name + ")";
  if (followed.timed_out) {
    context.err << title << " is still " << printable(job.state) << "; it goes on. Watch it: conceptctl watch "
                << job.id << "\n";
    return kExitTimedOut;
  }
  if (job.state == "done") {
    if (!job.refused.empty() && job.result_version && !job.published.value_or(true)) {
      const std::string version = name + "@" + std::to_string(*job.result_version);
      context.err << version << " is learnt and kept, and the gate refuses it: " << printable(job.refused)
                  << ".\nWhat was published stays. See it: conceptctl show " << name
                  << "; learn it again: conceptctl learn " << name << "; publish it all the same: conceptctl promote "
                  << version << " --override-gate --reason TEXT\n";
      return kExitRefused;
    }
    if (!context.json && job.night && job.result_version && !job.published.value_or(true)) {
      context.out << name << " version " << *job.result_version << " is learnt; night " << *job.night
                  << " publishes it with all that it learns. See: conceptctl watch --night\n";
      return 0;
    }
    if (!context.json && job.result_version && !job.published.value_or(true)) {
      context.out << job.name << " version " << *job.result_version
                  << " is learnt and kept, and not published (conceptctl history " << job.name
                  << " says why). Publish it: conceptctl promote " << job.name << "@" << *job.result_version << "\n";
      return 0;
    }
    if (!context.json && job.result_version)
      context.out << name << " version " << *job.result_version << " is learnt. Ask for it: conceptctl generate \"a <"
                  << name << "> on the beach\" -o out.png\n";
    return 0;
  }
  if (job.state == "cancelled") {
    context.err << title << " was cancelled; what was published stays.\n";
    return kExitJobFailed;
  }
  context.err << title << " failed after " << count_of(job.attempts, "attempt") << ": " << printable(job.error_message)
              << "\nWhat was published stays. Try again with: conceptctl learn " << name << "\n";
  return kExitJobFailed;
}

}  // namespace conceptd::cli
