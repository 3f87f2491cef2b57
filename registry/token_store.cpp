#include "registry/token_store.h"

#include <algorithm>

#include "core/secret.h"
#include "registry/concept_name.h"
#include "registry/rows.h"
#include "registry/sqlite.h"

namespace conceptd::registry {
namespace {

using Kind = Transaction::Kind;
constexpr std::chrono::minutes kUseWrittenEvery{1};

// Neither revoked nor expired at the time that is bound.
const std::string kCounts = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)";

std::string subject_of(std::int64_t id, const std::string& name) {
  return "token " + std::to_string(id) + " (" + name + ")";
}

Error no_such_token(const std::string& which) {
  return Error(Code::not_found, "there is no token " + which + "; conceptctl token list shows those there are",
               "token");
}

Error unknown_secret() {
  return Error(Code::unauthenticated,
               "the token is not one that this daemon knows; an admin makes one: conceptctl token create");
}

}  // namespace

TokenStore::TokenStore(Database& database, const Clock& clock) : database_(database), clock_(clock) {
  Transaction tx(database_, Kind::read, "reading the tokens");
  rows_ = read_rows(tx);
}

std::vector<TokenStore::Row> TokenStore::read_rows(Transaction& tx) {
  std::vector<Row> rows;
  Statement row = tx.query(
      "SELECT id, name, role, hash, created_by, created_at, expires_at, last_used_at, revoked_at FROM token"
      " ORDER BY id DESC");
  while (row.step())
    rows.push_back({.token = {.id = row.integer(0),
                              .name = row.text(1),
                              .role = role_from_string(row.text(2)),
                              .created_by = row.text(4),
                              .created_at = row.time(5),
                              .expires_at = row.maybe(6, &Statement::time),
                              .last_used_at = row.maybe(7, &Statement::time),
                              .revoked_at = row.maybe(8, &Statement::time)},
                    .hash = row.digest(3)});
  return rows;
}

// While the transaction still holds the database, so that memory follows the order of the commits.
void TokenStore::commit(Transaction& tx) {
  std::vector<Row> rows = read_rows(tx);
  tx.commit();
  const std::lock_guard lock(mutex_);
  rows_ = std::move(rows);
}

IssuedToken TokenStore::create(const NewToken& request) {
  if (!ConceptName::is_valid(request.name))
    throw Error(Code::invalid,
                "the name of a token says whose it is, in 1 to 63 of a-z, 0-9, '.', '_', '-', a letter or digit first",
                "name");
  Transaction tx(database_, Kind::immediate, "making a token for " + request.name);
  const TimePoint now = clock_.now();
  if (request.expires_at && *request.expires_at <= now)
    throw Error(Code::invalid, "the token would have expired already", "expires_at");
  if (tx.value("SELECT count(*) FROM token WHERE name = ? AND " + kCounts, request.name, now) > 0)
    throw Error(Code::conflict,
                "there is a token called '" + request.name + "' already; revoke it (conceptctl token revoke " +
                    request.name + "), or choose another name",
                "name");
  if (tx.value("SELECT count(*) FROM token") >= kRowsMax &&
      tx.run("DELETE FROM token WHERE id = (SELECT min(id) FROM token WHERE NOT (" + kCounts + "))", now) == 0)
    throw Error(Code::exhausted, "there are " + std::to_string(kRowsMax) + " tokens already; revoke one first");
  const std::string secret = std::string(kPrefix) + to_hex(random_bytes(Digest::kBytes));
  tx.run("INSERT INTO token (name, role, hash, created_by, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
         request.name, to_string(request.role), Digest::of(secret), request.actor, now, request.expires_at);
  const std::int64_t id = tx.last_id();
  append_audit(tx, now, request.actor, "create token", subject_of(id, request.name),
               {{"role", to_string(request.role)},
                {"expires_at", request.expires_at ? Json(to_iso8601(*request.expires_at)) : Json(nullptr)}});
  commit(tx);
  return {.token = get(id), .secret = secret};
}

Token TokenStore::revoke(std::int64_t id, const std::string& actor, const std::string& reason) {
  Transaction tx(database_, Kind::immediate, "revoking token " + std::to_string(id));
  const Token token = get(id);
  const TimePoint now = clock_.now();
  if (tx.run("UPDATE token SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", now, id) > 0)
    append_audit(tx, now, actor, "revoke token", subject_of(id, token.name), {{"reason", reason}});
  commit(tx);
  return get(id);
}

std::vector<Token> TokenStore::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<Token> tokens;
  for (const Row& row : rows_) tokens.push_back(row.token);
  return tokens;
}

Token TokenStore::get(std::int64_t id) const {
  const std::lock_guard lock(mutex_);
  for (const Row& row : rows_)
    if (row.token.id == id) return row.token;
  throw no_such_token(std::to_string(id));
}

Token TokenStore::get(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  for (const Row& row : rows_)
    if (row.token.name == name && counts(row.token)) return row.token;
  throw no_such_token("called '" + name + "' that counts");
}

bool TokenStore::counts(const Token& token) const {
  return !token.revoked_at && (!token.expires_at || *token.expires_at > clock_.now());
}

Token TokenStore::authenticate(std::string_view secret) const {
  if (secret.size() != kSecretSize || !secret.starts_with(kPrefix)) throw unknown_secret();
  const Digest hash = Digest::of(secret);
  std::optional<Token> found;
  {
    const std::lock_guard lock(mutex_);
    std::size_t at = rows_.size();
    for (std::size_t i = 0; i < rows_.size(); ++i)  // all of them, whichever it is
      if (equal_in_constant_time(rows_[i].hash.raw(), hash.raw())) at = i;
    if (at < rows_.size()) found = rows_[at].token;
  }
  if (!found) throw unknown_secret();
  if (counts(*found)) return *std::move(found);
  throw Error(Code::unauthenticated, "the token '" + found->name + "' " +
                                         (found->revoked_at ? "was revoked at " + to_iso8601(*found->revoked_at)
                                                            : "expired at " + to_iso8601(*found->expires_at)) +
                                         "; an admin makes another: conceptctl token create");
}

void TokenStore::note_use(std::int64_t id) {
  const TimePoint now = clock_.now();
  const std::optional<TimePoint> last = get(id).last_used_at;
  if (last && *last <= now && now - *last < kUseWrittenEvery) return;
  Transaction tx(database_, Kind::immediate, "noting the use of token " + std::to_string(id));
  tx.run("UPDATE token SET last_used_at = ? WHERE id = ?", now, id);
  commit(tx);
}

}  // namespace conceptd::registry
