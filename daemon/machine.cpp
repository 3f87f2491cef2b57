#include "daemon/machine.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace conceptd::daemon {

std::int64_t disk_free_bytes(const std::filesystem::path& folder) {
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(folder, error);
  return error ? -1 : static_cast<std::int64_t>(space.available);
}

std::int64_t memory_bytes() {
  std::int64_t bytes = std::int64_t{::sysconf(_SC_PHYS_PAGES)} * ::sysconf(_SC_PAGESIZE);
  std::string group;
  std::ifstream in("/proc/self/cgroup");  // "0::/system.slice/conceptd.service"
  std::getline(in, group);
  for (const std::string& folder : {std::string(), group.starts_with("0::") ? group.substr(3) : std::string()}) {
    std::int64_t limit = 0;  // "max" is no number
    if (std::ifstream("/sys/fs/cgroup" + folder + "/memory.max") >> limit && limit > 0) bytes = std::min(bytes, limit);
  }
  return bytes;
}

ProcessUse process_use() {
  ProcessUse use;
  rusage spent{};
  if (::getrusage(RUSAGE_SELF, &spent) == 0)
    use.cpu_seconds = static_cast<double>(spent.ru_utime.tv_sec + spent.ru_stime.tv_sec) +
                      static_cast<double>(spent.ru_utime.tv_usec + spent.ru_stime.tv_usec) / 1e6;
  std::int64_t pages = 0, resident = 0;
  if (std::ifstream("/proc/self/statm") >> pages >> resident) use.resident_bytes = resident * ::sysconf(_SC_PAGESIZE);
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end; !error && entry != end;
       entry.increment(error))
    ++use.open_descriptors;
  return use;
}

void notify_service_manager(const std::string& state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  if (!path || std::strlen(path) >= sizeof address.sun_path) return;
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // systemd's way to write an abstract socket
  ::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size);
  ::close(fd);
}

}  // namespace conceptd::daemon
