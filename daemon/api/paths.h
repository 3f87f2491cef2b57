// Where a daemon keeps its data and where it listens, so that a client finds it without being told.
#pragma once
#include <filesystem>

namespace conceptd::api {

// $CONCEPTD_DATA, else /var/lib/conceptd for root, else $XDG_DATA_HOME/conceptd or ~/.local/share/conceptd.
std::filesystem::path default_data_dir();

// $CONCEPTD_SOCKET, else <data dir>/conceptd.sock if $CONCEPTD_DATA says where that is; else, for a client, the first
// of these that is there, and for a daemon the first whose folder it may write to: /run/conceptd/conceptd.sock,
// $XDG_RUNTIME_DIR/conceptd.sock, <data dir>/conceptd.sock.
std::filesystem::path socket_to_connect();
std::filesystem::path socket_to_listen(const std::filesystem::path& data_dir);

}  // namespace conceptd::api
