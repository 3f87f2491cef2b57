// GET status: everything an operator asks first.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/api/jobs.h"
#include "daemon/api/nights.h"

namespace conceptd::api {

struct BaseInfo {
  std::string name{};
  std::string folder{};
  std::string fingerprint{};
  int width = 0;
  int height = 0;
};

struct StateInfo {
  std::int64_t id = 0;
  int concepts = 0;
  std::string reason{};
  std::string created_at{};
};

struct CountsInfo {
  std::int64_t concepts = 0;
  std::int64_t photos = 0;
  std::int64_t photo_bytes = 0;
  std::int64_t versions = 0;
  std::int64_t delta_bytes = 0;
  std::int64_t states = 0;
  std::int64_t jobs_queued = 0;
  std::int64_t jobs_running = 0;
  std::int64_t jobs_done = 0;
  std::int64_t jobs_failed = 0;
  std::int64_t database_bytes = 0;
};

struct QueueInfo {  // of pictures
  int running = 0;
  int waiting = 0;
  int limit = 0;
  std::int64_t pictures = 0;  // since the start
};

struct MachineInfo {
  int cpus = 0;  // that this process may use
  int threads = 0;
  int learn_threads = 0;
  std::string dtype{};
  std::string blas{};        // the library that is really bound
  std::string capability{};  // of ATen
};

struct PauseInfo {  // of learning
  std::string since{};
  std::optional<std::string> until{};  // none: until somebody resumes
  std::string by{};
  std::string reason{};
};

struct PauseRequest {
  std::optional<double> for_s{};  // none: until somebody resumes
  std::optional<std::string> reason{};
};

struct PauseAnswer {
  std::optional<PauseInfo> paused{};  // none: learning goes on
};

struct MethodInfo {
  std::string name{};
  bool is_default = false;
  std::optional<double> typical_seconds{};  // of the last jobs that ended well
};

struct Status {
  std::string release{};
  std::string started_at{};
  double uptime_s = 0;
  std::int64_t pid = 0;
  std::string socket{};
  std::string data_dir{};
  std::int64_t disk_free_bytes = 0;
  BaseInfo base{};
  StateInfo state{};
  CountsInfo counts{};
  QueueInfo queue{};
  std::optional<JobInfo> running_job{};
  std::optional<PauseInfo> paused{};  // of learning
  std::optional<WindowInfo> window{};
  std::optional<NightInfo> night{};  // the one that runs, else the last
  MachineInfo machine{};
  std::vector<MethodInfo> methods{};
  std::vector<std::string> samplers{};
  std::vector<std::string> warnings{};
};

struct CheckInfo {
  std::string name{};
  bool ok = false;
  std::string message{};
};

struct Readiness {  // GET /readyz
  bool ready = false;
  std::vector<CheckInfo> checks{};
};

struct Health {
  std::string status{};
};

}  // namespace conceptd::api
