// On which disks a registry may lie. SQLite's WAL shares memory between connections and trusts locks; over a network
// neither holds, and what breaks is found out months later.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>

namespace conceptd::registry {

// Error{unavailable, "data_dir"} if the folder, which must exist, is on NFS, SMB, AFS, 9P or another network disk.
void refuse_network_disk(const std::filesystem::path& folder);

// What says of which kind a disk is, as statfs(2) has it in f_type; empty: statfs itself. For tests.
using FilesystemProbe = std::function<std::int64_t(const std::filesystem::path&)>;
void set_filesystem_probe(FilesystemProbe probe);

}  // namespace conceptd::registry
