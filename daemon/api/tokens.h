// Access tokens as clients see them. The secret travels once, in the answer that made it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace conceptd::api {

// POST tokens
struct CreateToken {
  std::string name{};                        // whose it is
  std::string role{};                        // viewer, creator, operator, admin
  std::optional<std::int64_t> lifetime_s{};  // 0: without end; absent: kTokenLifetimeDefault_s
};

// POST tokens/{name or number}/revoke
struct RevokeToken {
  std::optional<std::string> reason{};
};

struct TokenInfo {
  std::int64_t id = 0;
  std::string name{};
  std::string role{};
  std::string state{};  // valid, expired, revoked
  std::string created_by{};
  std::string created_at{};
  std::optional<std::string> expires_at{};
  std::optional<std::string> last_used_at{};  // to the minute
  std::optional<std::string> revoked_at{};
};

struct TokenAnswer {
  TokenInfo token{};
};

struct TokenCreated {
  TokenInfo token{};
  std::string secret{};
};

struct TokenList {
  std::vector<TokenInfo> tokens{};  // newest first
};

}  // namespace conceptd::api
