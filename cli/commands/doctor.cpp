#include <CLI/CLI.hpp>
#include <ostream>

#include "cli/command.h"
#include "cli/follow_night.h"
#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

constexpr std::int64_t kDiskLow = std::int64_t{1} << 30;

struct Finding {
  std::string name;
  bool ok = true;
  std::string message;
  std::string fix{};  // where it is not
};

std::vector<Finding> ask_daemon(const Context& context) {
  api::Status s;
  try {
    s = api::decode_answer<api::Status>(context.client().get("status"));
  } catch (const Error& error) {
    return {
        {.name = "daemon", .ok = false, .message = error.what(), .fix = "start conceptd, or name it with --socket"}};
  }
  std::vector<Finding> found;
  found.push_back({.name = "daemon", .message = s.release + " answers, up " + human_seconds(s.uptime_s)});
  found.push_back({.name = "release",
                   .ok = s.release == CONCEPTD_VERSION,
                   .message = "client " CONCEPTD_VERSION ", daemon " + s.release,
                   .fix = "install both from one release"});
  const bool fast =
      s.machine.blas.find("openblas") != std::string::npos || s.machine.blas.find("mkl") != std::string::npos;
  found.push_back(
      {.name = "BLAS",
       .ok = fast,
       .message = s.machine.blas,
       .fix = "apt install libopenblas0-pthread, then start the daemon again: others are up to 40 times slower"});
  found.push_back({.name = "threads",
                   .ok = s.machine.threads >= s.machine.cpus,
                   .message = count_of(s.machine.threads, "thread") + " of " + count_of(s.machine.cpus, "CPU") +
                              ", ATen " + s.machine.capability + ", " + s.machine.dtype,
                   .fix = "take `threads` out of the configuration"});
  found.push_back({.name = "disk",
                   .ok = s.disk_free_bytes < 0 || s.disk_free_bytes >= kDiskLow,
                   .message = human_bytes(s.disk_free_bytes) + " free for " + s.data_dir,
                   .fix = "make room, or see what `conceptctl gc -n` would erase"});
  found.push_back({.name = "jobs",
                   .ok = s.counts.jobs_failed == 0,
                   .message = count_of(s.counts.jobs_failed, "job") + " failed",
                   .fix = "conceptctl jobs --state failed says why; conceptctl learn NAME tries again"});
  found.push_back({.name = "learning",
                   .ok = !s.paused,
                   .message = s.paused ? "paused by " + s.paused->by : "not paused",
                   .fix = "conceptctl resume"});
  if (s.night)
    found.push_back({.name = "night",
                     .ok = s.night->state != "failed",
                     .message = night_line(*s.night),
                     .fix = "conceptctl report says which step failed and why"});
  for (const std::string& warning : s.warnings)
    found.push_back({.name = "warning", .ok = false, .message = warning, .fix = "docs/operating.md says what helps"});
  return found;
}

int doctor(const Context& context) {
  const std::vector<Finding> found = ask_daemon(context);
  bool well = true;
  Json checks = Json::array();
  for (const Finding& finding : found) {
    well = well && finding.ok;
    checks.push_back({{"name", finding.name}, {"ok", finding.ok}, {"message", finding.message}});
    if (!finding.ok) checks.back()["fix"] = finding.fix;
    if (context.json) continue;
    context.out << (finding.ok ? "ok    " : "look  ") << finding.name << ": " << printable(finding.message) << "\n";
    if (!finding.ok) context.out << "      -> " << printable(finding.fix) << "\n";
  }
  if (context.json) context.print({{"well", well}, {"checks", checks}});
  return well ? 0 : 1;
}

}  // namespace

void define_doctor(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("doctor", "Look at everything that often goes wrong, and say what helps");
  command->callback([&context] { context.run = [&context] { return doctor(context); }; });
}

}  // namespace conceptd::cli
