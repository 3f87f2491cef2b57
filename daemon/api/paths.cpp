#include "daemon/api/paths.h"

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace conceptd::api {
namespace {

namespace fs = std::filesystem;

fs::path from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? fs::path(value) : fs::path();
}

std::vector<fs::path> candidates(const fs::path& data_dir) {
  std::vector<fs::path> sockets{"/run/conceptd/conceptd.sock"};
  if (const fs::path runtime = from_environment("XDG_RUNTIME_DIR"); !runtime.empty())
    sockets.push_back(runtime / "conceptd.sock");
  sockets.push_back(data_dir / "conceptd.sock");
  return sockets;
}

}  // namespace

fs::path default_data_dir() {
  if (fs::path data = from_environment("CONCEPTD_DATA"); !data.empty()) return data;
  if (::geteuid() == 0) return "/var/lib/conceptd";
  if (fs::path shared = from_environment("XDG_DATA_HOME"); !shared.empty()) return shared / "conceptd";
  return from_environment("HOME") / ".local/share/conceptd";
}

fs::path socket_to_connect() {
  if (fs::path socket = from_environment("CONCEPTD_SOCKET"); !socket.empty()) return socket;
  if (fs::path data = from_environment("CONCEPTD_DATA"); !data.empty()) return data / "conceptd.sock";
  const std::vector<fs::path> sockets = candidates(default_data_dir());
  std::error_code ignored;
  for (const fs::path& socket : sockets)
    if (fs::exists(socket, ignored)) return socket;
  return sockets.back();
}

fs::path socket_to_listen(const fs::path& data_dir) {
  if (fs::path socket = from_environment("CONCEPTD_SOCKET"); !socket.empty()) return socket;
  if (data_dir != default_data_dir() || !from_environment("CONCEPTD_DATA").empty()) return data_dir / "conceptd.sock";
  for (const fs::path& socket : candidates(data_dir))
    if (::access(socket.parent_path().c_str(), W_OK | X_OK) == 0) return socket;
  return data_dir / "conceptd.sock";
}

}  // namespace conceptd::api
