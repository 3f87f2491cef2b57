// Goal: a secret lets in whoever holds it, as what it was made for, until it is revoked or expires, and nothing that is
// stored would let anybody in.
#include "registry/token_store.h"

#include <set>

#include "registry/sqlite.h"
#include "tests/registry/registry_fixture.h"

namespace conceptd::registry::test {
namespace {

class Tokens : public RegistryTest {
 protected:
  TokenStore& tokens() { return registry().tokens(); }
  IssuedToken make(const std::string& name, Role role = Role::creator, std::optional<TimePoint> expires_at = {}) {
    return tokens().create({.name = name, .role = role, .expires_at = expires_at, .actor = "root"});
  }
};

TEST_F(Tokens, AreWhoeverHoldsThem) {
  const IssuedToken alice = make("alice"), build = make("build-7", Role::operator_, clock_.now() + 1h);
  EXPECT_EQ(alice.secret.size(), TokenStore::kSecretSize);
  EXPECT_TRUE(alice.secret.starts_with("cpt_"));
  EXPECT_NE(alice.secret, build.secret);
  reopen();
  EXPECT_EQ(tokens().authenticate(alice.secret).name, "alice");
  EXPECT_EQ(tokens().authenticate(alice.secret).role, Role::creator);
  EXPECT_EQ(tokens().authenticate(build.secret).id, build.token.id);
  EXPECT_EQ(tokens().authenticate(build.secret).expires_at, clock_.now() + 1h);
  EXPECT_EQ(tokens().get("alice").created_by, "root");
}

TEST_F(Tokens, WhatIsNotTheWholeSecretIsNobodys) {
  const std::string secret = make("alice").secret;
  std::string other = secret;
  other.back() = other.back() == '0' ? '1' : '0';
  for (const std::string& wrong : {std::string(), std::string("cpt_"), other, secret + "0", secret.substr(0, 67),
                                   secret.substr(4), "CPT_" + secret.substr(4), std::string(1 << 20, 'c')}) {
    EXPECT_ERROR(tokens().authenticate(wrong), Code::unauthenticated, "not one that this daemon knows");
  }
}

TEST_F(Tokens, TheStoreHoldsNoSecret) {
  const std::string secret = make("alice").secret;
  const Digest hash = Digest::of(secret);
  registry_.reset();
  std::string stored;
  for (const char* file : {"data/registry.db", "data/registry.db-wal"}) stored += contents(folder_ / file);
  EXPECT_NE(stored.find(hash.raw()), std::string::npos) << "this would find it";
  EXPECT_EQ(stored.find(secret), std::string::npos);
  EXPECT_EQ(stored.find(secret.substr(4)), std::string::npos);
  EXPECT_EQ(stored.find(*from_hex(secret.substr(4))), std::string::npos);
  reopen();
  EXPECT_ERROR(tokens().authenticate("cpt_" + hash.hex()), Code::unauthenticated, "not one");
}

TEST_F(Tokens, RevokingEndsThemAtOnceAndForGood) {
  const IssuedToken alice = make("alice");
  const Token revoked = tokens().revoke(alice.token.id, "bob", "she has left");
  EXPECT_EQ(revoked.revoked_at, clock_.now());
  EXPECT_ERROR(tokens().authenticate(alice.secret), Code::unauthenticated, "'alice' was revoked at 20");
  clock_.advance(1h);
  EXPECT_EQ(tokens().revoke(alice.token.id, "bob").revoked_at, revoked.revoked_at) << "twice is once";
  reopen();
  EXPECT_ERROR(tokens().authenticate(alice.secret), Code::unauthenticated, "was revoked");
  EXPECT_ERROR(tokens().revoke(99, "bob"), Code::not_found, "no token 99");
  EXPECT_ERROR(tokens().get("alice"), Code::not_found, "no token called 'alice' that counts");
}

TEST_F(Tokens, ExpireAtTheirTime) {
  const IssuedToken alice = make("alice", Role::viewer, clock_.now() + 60s);
  clock_.advance(59s);
  EXPECT_EQ(tokens().authenticate(alice.secret).name, "alice");
  clock_.advance(1s);
  EXPECT_ERROR(tokens().authenticate(alice.secret), Code::unauthenticated, "'alice' expired at 20");
  EXPECT_ERROR(make("bob", Role::viewer, clock_.now()), Code::invalid, "expired already");
}

TEST_F(Tokens, NoTwoThatCountHaveOneName) {
  make("alice");
  EXPECT_ERROR(make("alice"), Code::conflict, "called 'alice' already");
  tokens().revoke(tokens().get("alice").id, "root");
  const IssuedToken second = make("alice", Role::viewer, clock_.now() + 1h);
  clock_.advance(1h);
  const IssuedToken third = make("alice", Role::admin);
  EXPECT_EQ(tokens().get("alice").id, third.token.id);
  EXPECT_EQ(tokens().list().size(), 3u);
  EXPECT_ERROR(make("Alice"), Code::invalid, "a-z, 0-9");
  EXPECT_ERROR(make("a\nb"), Code::invalid, "a-z, 0-9");
  EXPECT_ERROR(make(""), Code::invalid, "a-z, 0-9");
  EXPECT_ERROR(role_from_string("boss"), Code::invalid, "viewer, creator, operator, admin");
}

TEST_F(Tokens, TheAuditSaysWhoLetWhomIn) {
  const IssuedToken alice = make("alice", Role::operator_);
  tokens().revoke(alice.token.id, "bob", "lost her laptop");
  tokens().revoke(alice.token.id, "bob", "again");
  const std::vector<AuditRow> rows = registry().audit("token 1 (alice)");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[1].action, "create token");
  EXPECT_EQ(rows[1].actor, "root");
  EXPECT_EQ(rows[1].detail, (Json{{"role", "operator"}, {"expires_at", nullptr}}));
  EXPECT_EQ(rows[0].action, "revoke token");
  EXPECT_EQ(rows[0].actor, "bob");
  EXPECT_EQ(rows[0].detail["reason"], "lost her laptop");
}

TEST_F(Tokens, RememberTheirLastUseToTheMinute) {
  const std::int64_t id = make("alice").token.id;
  EXPECT_EQ(tokens().get(id).last_used_at, std::nullopt);
  const TimePoint first = clock_.now();
  tokens().note_use(id);
  clock_.advance(59s);
  tokens().note_use(id);
  EXPECT_EQ(tokens().get(id).last_used_at, first);
  clock_.advance(1s);
  tokens().note_use(id);
  EXPECT_EQ(tokens().get(id).last_used_at, clock_.now());
  reopen();
  EXPECT_EQ(tokens().get(id).last_used_at, clock_.now());
}

TEST_F(Tokens, AFullTableForgetsThoseThatNoLongerCount) {
  for (int i = 0; i < TokenStore::kRowsMax; ++i) make("t" + std::to_string(i));
  EXPECT_ERROR(make("one-more"), Code::exhausted, "revoke one first");
  tokens().revoke(500, "root");
  const IssuedToken last = make("one-more");
  EXPECT_EQ(last.token.id, TokenStore::kRowsMax + 1) << "a number is never given twice";
  EXPECT_ERROR(tokens().get(500), Code::not_found, "no token 500");
  EXPECT_EQ(tokens().list().size(), static_cast<std::size_t>(TokenStore::kRowsMax));
}

TEST_F(Tokens, WhatTheyMayDoIsFixedInTheDatabase) {
  make("alice", Role::viewer);
  registry_.reset();
  {
    Database database(folder_ / "data/registry.db");
    Transaction tx(database, Transaction::Kind::immediate, "tampering");
    EXPECT_ERROR(tx.run("UPDATE token SET role = 'admin'"), Code::internal, "a token never changes");
  }
  reopen();
  EXPECT_EQ(tokens().get("alice").role, Role::viewer);
}

}  // namespace
}  // namespace conceptd::registry::test
