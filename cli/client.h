// One request to the daemon, over its unix socket or the network, and what came of it. The only file of this room that
// knows HTTP.
#pragma once
#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include "cli/endpoint.h"
#include "core/error.h"
#include "core/json.h"
#include "daemon/api/errors.h"

namespace conceptd::cli {

// The daemon said no. The body holds what it suggests instead.
struct Refusal : Error {
  explicit Refusal(api::ErrorBody refused) : Error(api::to_error(refused)), body(std::move(refused)) {}
  api::ErrorBody body;
};

// A name as one part of a target, whatever was typed: "My%20Mug".
std::string path_segment(std::string_view name);

struct Reply {
  int status = 0;
  std::string body{};
};

class Client {
 public:
  static constexpr std::chrono::seconds kTimeout{30};

  explicit Client(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}
  explicit Client(std::filesystem::path socket) : endpoint_{.socket = std::move(socket)} {}

  // target begins after /api/v1: "concepts". Refusal if the daemon refuses; Error{unavailable}, with what to do about
  // it, if nobody answers or the certificate is not trusted; Error{invalid} naming the field of a body that is not
  // UTF-8.
  Json get(const std::string& target) const;
  Json post(const std::string& target, const Json& body, std::chrono::milliseconds timeout = kTimeout) const;
  std::string get_bytes(const std::string& target) const;
  // As it comes, for any path and status.
  Reply exchange(const std::string& method, const std::string& path, std::string body,
                 std::chrono::milliseconds timeout) const;

 private:
  std::string accepted(const Reply& reply) const;
  const Endpoint endpoint_;
};

}  // namespace conceptd::cli
