// Access tokens: who may come in over the network, as what, until when. A secret is "cpt_" and 64 hex digits (256
// random bits); it is returned once, when it is made, and only its SHA-256 is stored: nobody can search 256 bits, so a
// slow hash would protect nothing. A copy of all rows stays in memory, so that a token can be checked by a thread that
// may not wait for the database.
#pragma once
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/digest.h"
#include "registry/role.h"

namespace conceptd::registry {

class Database;
class Transaction;

struct Token {
  std::int64_t id = 0;
  std::string name{};  // whose it is: [a-z0-9][a-z0-9._-]{0,62}; "token:" + name is the actor in the audit
  Role role = Role::viewer;
  std::string created_by{};
  TimePoint created_at{};
  std::optional<TimePoint> expires_at{};    // empty: never
  std::optional<TimePoint> last_used_at{};  // to the minute
  std::optional<TimePoint> revoked_at{};
};

struct NewToken {
  std::string name{};
  Role role = Role::viewer;
  std::optional<TimePoint> expires_at{};  // empty: never
  std::string actor{};
};

struct IssuedToken {
  Token token;
  std::string secret{};
};

class TokenStore {
 public:
  static constexpr std::string_view kPrefix = "cpt_";
  static constexpr std::size_t kSecretSize = 4 + 2 * Digest::kBytes;
  static constexpr int kRowsMax = 1000;

  // Both are lent by Registry. Thread-safe: what changes something is one transaction.
  TokenStore(Database& database, const Clock& clock);

  // Error{invalid} for a name that is none or an end that has passed, Error{conflict} if a token that counts has the
  // name. A full table loses its oldest token that no longer counts; Error{exhausted} if all of them do.
  IssuedToken create(const NewToken& request);
  // From now on it lets nobody in. Revoked already: unchanged. Error{not_found}.
  Token revoke(std::int64_t id, const std::string& actor, const std::string& reason = {});
  std::vector<Token> list() const;   // newest first, with those that no longer count
  Token get(std::int64_t id) const;  // Error{not_found}
  // The one of this name that counts; Error{not_found}.
  Token get(const std::string& name) const;

  // Whose secret this is. Error{unauthenticated} if it is nobody's, revoked or expired; the message says which, and
  // never holds the secret. Waits for nothing, and takes the same time whichever token it is.
  Token authenticate(std::string_view secret) const;
  // Remembers that it was used just now; writes at most once a minute a token.
  void note_use(std::int64_t id);

 private:
  struct Row {
    Token token;
    Digest hash{};
  };
  static std::vector<Row> read_rows(Transaction& tx);
  void commit(Transaction& tx);
  bool counts(const Token& token) const;

  Database& database_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::vector<Row> rows_;  // guarded by mutex_; newest first
};

}  // namespace conceptd::registry
