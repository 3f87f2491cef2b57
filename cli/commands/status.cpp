#include <CLI/CLI.hpp>
#include <ostream>

#include "cli/command.h"
#include "cli/follow.h"
#include "cli/follow_night.h"
#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string learning(const api::Status& s) {
  std::string text =
      s.running_job ? progress_line(*s.running_job) : "idle, " + count_of(s.counts.jobs_queued, "job") + " queued";
  if (!s.paused) return text;
  text += "; paused by " + printable(s.paused->by);
  if (s.paused->until) text += " until " + human_time(*s.paused->until);
  return text + (s.paused->reason.empty() ? "" : ": " + printable(s.paused->reason));
}

std::string window(const api::Status& s) {
  if (!s.window) return "none; learning begins when it is asked for";
  return (s.window->open ? "open until " + human_time(s.window->ends_at)
                         : "next " + human_time(s.window->begins_at) + " to " + human_time(s.window->ends_at)) +
         " UTC (" + printable(s.window->zone) + ")" +
         (s.window->learning_waits_for_it ? ", learning waits for it" : "");
}

int status(const Context& context) {
  const Json answer = context.client().get("status");
  if (context.json) {
    context.print(answer);
    return 0;
  }
  const auto s = api::decode_answer<api::Status>(answer);
  std::vector<std::string> methods;
  for (const api::MethodInfo& method : s.methods)
    methods.push_back(method.name + (method.is_default ? " (default)" : ""));
  print_table(context.out,
              {{"conceptd", s.release + ", up " + human_seconds(s.uptime_s) + ", process " + std::to_string(s.pid)},
               {"base", s.base.name + " " + short_digest(s.base.fingerprint) + ", " + std::to_string(s.base.width) +
                            "x" + std::to_string(s.base.height)},
               {"state", std::to_string(s.state.id) + " since " + human_time(s.state.created_at) + ", " +
                             count_of(s.state.concepts, "concept")},
               {"known", count_of(s.counts.concepts, "concept") + ", " + count_of(s.counts.photos, "photo") + ", " +
                             count_of(s.counts.versions, "version") + " (" + human_bytes(s.counts.delta_bytes) + ")"},
               {"serving", std::to_string(s.queue.running) + " running, " + std::to_string(s.queue.waiting) +
                               " waiting of " + std::to_string(s.queue.limit) + ", " +
                               count_of(s.queue.pictures, "picture") + " since the start"},
               {"learning", learning(s)},
               {"window", window(s)},
               {"night", s.night ? night_line(*s.night) : "none was held yet"},
               {"methods", joined(methods)},
               {"samplers", joined(s.samplers)},
               {"machine", count_of(s.machine.cpus, "CPU") + ", " + count_of(s.machine.threads, "thread") +
                               " (learning " + std::to_string(s.machine.learn_threads) + "), " + s.machine.dtype +
                               ", ATen " + s.machine.capability},
               {"BLAS", printable(s.machine.blas)},
               {"data", printable(s.data_dir) + ", " + human_bytes(s.disk_free_bytes) + " free"},
               {"socket", printable(s.socket)}});
  for (const std::string& warning : s.warnings) context.err << "warning: " << printable(warning) << "\n";
  return 0;
}

}  // namespace

void define_status(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("status", "Show the daemon, its model, its queue and its machine");
  command->callback([&context] { context.run = [&context] { return status(context); }; });
}

}  // namespace conceptd::cli
