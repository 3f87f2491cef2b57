// Logging is spdlog's default logger, set up once in main; rooms call spdlog::info(...) and its sisters.
// To stderr, because stdout belongs to data and journald reads stderr.
#pragma once
#include <spdlog/spdlog.h>

#include <string>

namespace conceptd {

struct LogSettings {
  std::string level = "info";  // trace, debug, info, warning, error, critical, off; anything else is Error{invalid}
  bool json = false;           // one JSON object a line, for machines
  std::string process = {};    // "conceptd", "learn-worker": shown on each line where it is not empty
};

bool is_log_level(const std::string& text);  // one of those that LogSettings names
void set_up_logging(const LogSettings& settings);

}  // namespace conceptd
