// What the process runs on, without libtorch.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

namespace conceptd::daemon {

std::int64_t disk_free_bytes(const std::filesystem::path& folder);  // -1: not known
std::int64_t memory_bytes();  // RAM of the machine, or what its control group (v2) may have of it, if that is less
struct ProcessUse {
  double cpu_seconds = 0;  // user and system
  std::int64_t resident_bytes = 0;
  int open_descriptors = 0;
};
ProcessUse process_use();  // of this process; 0 where the kernel does not say
// Tells a systemd that is waiting for it: "READY=1", "STOPPING=1". Nothing happens without one.
void notify_service_manager(const std::string& state);

}  // namespace conceptd::daemon
