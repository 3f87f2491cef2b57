// Following a night to its end: what nightly and watch --night have in common.
#pragma once
#include <cstdint>
#include <string>

#include "cli/command.h"
#include "daemon/api/nights.h"

namespace conceptd::cli {

// Says each step as it goes (with --json: a night a line), and at the end what became of it. The exit status: 0, or
// kExitJobFailed for one that has failed. A night whose time was over is none.
int follow_night(const Context& context, std::int64_t id);

// "night 7 of 2026-11-23: measure, drawing mug-7, 3 more"
std::string night_line(const api::NightInfo& night);

}  // namespace conceptd::cli
