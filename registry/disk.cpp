#include "registry/disk.h"

#include <sys/vfs.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "core/error.h"

namespace conceptd::registry {
namespace {

FilesystemProbe g_probe;

struct Network {
  std::int64_t type;
  const char* name;
};
// From statfs(2) and linux/magic.h.
constexpr std::array<Network, 8> kNetworks{{{0x6969, "NFS"},
                                            {0x517b, "SMB"},
                                            {0xff534d42, "CIFS"},
                                            {0xfe534d42, "SMB2"},
                                            {0x5346414f, "AFS"},
                                            {0x01021997, "9P"},
                                            {0x00c36400, "Ceph"},
                                            {0x0bd00bd0, "Lustre"}}};

std::int64_t type_of(const std::filesystem::path& folder) {
  if (g_probe) return g_probe(folder);
  struct statfs info {};
  if (::statfs(folder.c_str(), &info) != 0)
    throw Error(Code::unavailable, "looking at the disk of " + folder.string() + ": " + std::strerror(errno));
  return static_cast<std::uint32_t>(info.f_type);
}

}  // namespace

void set_filesystem_probe(FilesystemProbe probe) { g_probe = std::move(probe); }

void refuse_network_disk(const std::filesystem::path& folder) {
  const std::int64_t type = type_of(folder);
  for (const Network& network : kNetworks)
    if (network.type == type)
      throw Error(Code::unavailable,
                  folder.string() + " is on a network disk (" + network.name +
                      "), whose locks and shared memory SQLite cannot rely on; give the daemon a folder on a disk of "
                      "this machine (--data-dir), and copy backups to the other one",
                  "data_dir");
}

}  // namespace conceptd::registry
