// conceptd: the daemon, and, as `conceptd learn-worker`, the process that it starts for every job.
#include <CLI/CLI.hpp>
#include <iostream>

#include "core/error.h"
#include "core/log.h"
#include "daemon/daemon.h"
#include "daemon/learn_worker.h"
#include "daemon/machine.h"
#include "daemon/restore_command.h"
#include "daemon/signals.h"
#include "daemon/torch_learning.h"
#include "daemon/torch_model.h"

namespace conceptd::daemon {
namespace {

int run_daemon(const Config& config) {
  catch_signals();
  const SystemClock clock;
  std::vector<std::string> worker{"/proc/self/exe", "learn-worker", "--level", config.log_level};
  if (config.log_json) worker.emplace_back("--json");
  Daemon daemon(config, clock,
                {.open_model = open_torch_model,
                 .worker_command = std::move(worker),
                 .decode_command = {find_decode_program().string()},
                 .consolidates = torch_tasks().consolidate != nullptr});
  daemon.start();
  notify_service_manager("READY=1");
  const int number = wait_for_the_end(daemon);
  spdlog::info("signal {}: stopping", number);
  notify_service_manager("STOPPING=1");
  daemon.stop();
  spdlog::info("stopped");
  return 0;
}

int run(int argc, char** argv) {
  Flags flags;
  bool check = false, version = false;
  CLI::App app("The concept registry and picture daemon. It stays in the foreground and logs to stderr.", "conceptd");
  app.add_option("--config", flags.file, "TOML file (default: /etc/conceptd/conceptd.toml if it is there)");
  app.add_option("--data-dir", flags.data_dir, "Registry and photos");
  app.add_option("--socket", flags.socket, "Where to listen");
  app.add_option("--base", flags.base, "Folder of the base model, in the diffusers layout");
  app.add_option("--threads", flags.threads, "Of computing (default: what the CPU affinity allows)");
  app.add_option("--dtype", flags.dtype, "auto, fp32 or bf16");
  app.add_option("--log-level", flags.log_level, "trace, debug, info, warning, error");
  app.add_flag("--check-config", check, "Only say whether the configuration can be used");
  app.add_flag("--version", version, "Print the version");
  CLI::App* worker = app.add_subcommand("learn-worker", "")->group("");  // for the daemon itself
  LogSettings worker_log{.process = "learn-worker"};
  worker->add_option("--level", worker_log.level);
  worker->add_flag("--json", worker_log.json);
  std::filesystem::path backup, restored;
  bool json = false;
  CLI::App* restoring = app.add_subcommand("restore", "Make a data folder from a backup, while no daemon runs in it");
  restoring->add_option("backup", backup, "A folder that `conceptctl backup` made")->required()->type_name("BACKUP");
  restoring->add_option("--to", restored, "The new data folder: not there yet, or empty")->required()->type_name("DIR");
  restoring->add_flag("--json", json, "One JSON document on stdout");
  CLI11_PARSE(app, argc, argv);
  if (version) {
    std::cout << "conceptd " << CONCEPTD_VERSION << "\n";
    return 0;
  }
  if (worker->parsed()) {
    set_up_logging(worker_log);
    settle_worker_process(kWorkerFd);
    return run_learn_worker(FrameChannel(kWorkerFd), torch_tasks());
  }
  if (restoring->parsed()) {
    restore(backup, restored, SystemClock(), json, std::cout);
    return 0;
  }
  const Config config = load_config(flags);
  if (check) {
    std::cout << "the configuration can be used: data in " << config.data_dir.string() << ", socket "
              << config.socket.string() << (config.tcp.listen.empty() ? "" : ", network " + config.tcp.listen)
              << ", base " << config.base.string() << "\n";
    return 0;
  }
  set_up_logging({.level = config.log_level, .json = config.log_json, .process = "conceptd"});
  return run_daemon(config);
}

}  // namespace
}  // namespace conceptd::daemon

int main(int argc, char** argv) {
  try {
    return conceptd::daemon::run(argc, argv);
  } catch (const conceptd::Error& error) {
    std::cerr << "conceptd: " << error.what() << "\n";
    return conceptd::exit_status(error.code());
  } catch (const std::exception& error) {
    std::cerr << "conceptd: unexpected: " << error.what() << "\n";
    return 1;
  }
}
