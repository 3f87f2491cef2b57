// Where the daemon is and how to be let in: its socket, or an address in the network with a token and the authorities
// whose certificates are trusted.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "core/net/address.h"

namespace conceptd::cli {

struct Endpoint {
  std::filesystem::path socket{};
  std::optional<net::Url> url{};        // instead of the socket
  std::string token{};                  // empty: none
  std::filesystem::path authorities{};  // PEM; empty: the system's

  std::string shown() const;  // "/run/conceptd/conceptd.sock", "https://pictures.example.com:7860"
};

// What was said on the command line; empty: not said.
struct EndpointOptions {
  std::string socket{};
  std::string url{};
  std::string token_file{};
  std::string authorities{};
};

// Options first, then $CONCEPTD_URL and $CONCEPTD_TOKEN_FILE, then the socket as api::socket_to_connect() finds it. A
// token file of the environment counts only with a URL, so that on the socket one stays who one is. Error{invalid} for
// a URL or a file that cannot be used: a token file holds one token and may be read by its owner alone, and a token
// does not travel in the clear but to this machine.
Endpoint find_endpoint(const EndpointOptions& options);

}  // namespace conceptd::cli
