#include "cli/follow_night.h"

#include <ostream>
#include <thread>

#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kPoll = 300ms;

api::NightInfo night_now(const Client& client, std::int64_t id) {
  return api::decode_answer<api::NightAnswer>(client.get("nights/" + std::to_string(id))).night;
}

int report_end(const Context& context, const api::NightInfo& night) {
  const bool failed = night.state == "failed";
  if (context.json) return failed ? kExitJobFailed : 0;
  std::vector<std::vector<std::string>> rows{{"STEP", "STATE", "TOOK", ""}};
  for (const api::NightStepInfo& step : night.steps)
    rows.push_back({step.name, step.state, human_seconds(step.seconds), step.message});
  print_table(context.out, rows);
  context.out << night_line(night) << ". Report: conceptctl report --night " << night.id << "\n";
  return failed ? kExitJobFailed : 0;
}

}  // namespace

std::string night_line(const api::NightInfo& night) {
  const std::string line = "night " + std::to_string(night.id) + " of " + printable(night.date) + ": ";
  if (night.is_over())
    return line + printable(night.state) + (night.reason.empty() ? "" : ", " + printable(night.reason));
  for (const api::NightStepInfo& step : night.steps)
    if (step.state == "running")
      return line + printable(step.name) + (step.message.empty() ? "" : ", " + printable(step.message));
  return line + "running, until " + human_time(night.until) + " UTC";
}

int follow_night(const Context& context, std::int64_t id) {
  const Client client = context.client();
  for (std::string last;; std::this_thread::sleep_for(kPoll)) {
    const api::NightInfo night = night_now(client, id);
    const std::string line = context.json ? api::encode(api::NightAnswer{.night = night}).dump() : night_line(night);
    if (line != last && context.json) context.out << line << std::endl;
    if (line != last && !context.json && !night.is_over()) context.err << line << std::endl;
    last = line;
    if (night.is_over()) return report_end(context, night);
  }
}

}  // namespace conceptd::cli
