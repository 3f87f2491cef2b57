// What the process runs on, without libtorch.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

namespace conceptd::daemon {

std::int64_t disk_free_bytes(const std::filesystem::path& folder);  // -1: not known
// Tells a systemd that is waiting for it: "READY=1", "STOPPING=1". Nothing happens without one.
void notify_service_manager(const std::string& state);

}  // namespace conceptd::daemon
