// Long work as clients see it. Times are ISO 8601 in UTC.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace conceptd::api {

struct ProgressInfo {
  int step = 0;
  int steps = 0;
  std::optional<double> loss{};
  std::optional<double> eta_s{};
  std::string message{};
};

struct JobInfo {
  std::int64_t id = 0;
  std::string kind{};   // learn, consolidate, evaluate, import
  std::string name{};   // the concept
  std::string state{};  // queued, running, done, failed, cancelled
  std::string method{};
  bool draft = false;
  int queue_position = 0;  // 1 is next; 0: not queued
  int attempts = 0;
  int attempts_max = 0;
  ProgressInfo progress{};
  std::string error_code{};  // of the last attempt that failed; empty: none
  std::string error_message{};
  std::optional<int> result_version{};
  std::optional<bool> published{};  // whether that version is or was live; a pinned concept keeps it unpublished
  std::string refused{};            // why the gate kept that version from being published; empty: it did not
  std::optional<std::string> waits_until{};  // queued until the learning window opens, then
  std::optional<std::string> deadline{};     // it fails if it has not begun by then
  std::optional<std::int64_t> night{};       // which keeps that version for the one state that it publishes
  bool has_preview = false;                  // GET jobs/{id}/preview.png
  std::string requested_by{};
  std::string created_at{};
  std::optional<std::string> started_at{};
  std::optional<std::string> finished_at{};

  bool is_over() const { return state == "done" || state == "failed" || state == "cancelled"; }
};

struct JobAnswer {
  JobInfo job{};
};

struct JobList {
  std::vector<JobInfo> jobs{};  // newest first
};

}  // namespace conceptd::api
