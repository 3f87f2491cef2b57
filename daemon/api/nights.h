// The learning window and the nights that were held in it, as clients see them. Times are ISO 8601 in UTC, dates are
// those of the window's zone.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace conceptd::api {

struct WindowInfo {
  std::string zone{};
  bool open = false;
  std::string begins_at{};             // of the one that is open, else of the next
  std::string ends_at{};               // the same
  bool learning_waits_for_it = false;  // learn.when
};

struct NightStepInfo {
  std::string name{};   // learn, consolidate, publish, measure, gc, verify, backup
  std::string state{};  // waiting, running, done, skipped, stopped, failed
  double seconds = 0;
  std::string message{};  // for people
  Json detail = Json::object();
};

struct NightInfo {
  std::int64_t id = 0;
  std::string date{};
  std::string cause{};  // window, catch_up, asked
  std::string actor{};
  std::string state{};  // running, done, stopped, failed
  std::string reason{};
  std::string began_at{};
  std::string until{};
  std::optional<std::string> ended_at{};
  std::int64_t state_before = 0;
  std::optional<std::int64_t> state_after{};
  std::vector<NightStepInfo> steps{};

  bool is_over() const { return state != "running"; }
};

// POST nights
struct HoldNight {
  std::optional<std::string> until{};  // "06:00" in the window's zone; none: as long as a window is
};

struct NightAnswer {
  NightInfo night{};
  bool joined = false;  // it was running already
};

struct NightList {
  std::vector<NightInfo> nights{};  // newest first
};

}  // namespace conceptd::api
