// Goal: row 28 of the catalogue of bad input: a POST that is sent again under its key is answered and not done again,
// whoever lost the first answer.
#include "registry/answer_store.h"
#include "tests/daemon/network_fixture.h"

namespace conceptd::daemon::test {
namespace {

using testing::AllOf;
using testing::Not;
using testing::StartsWith;

class Idempotency : public NetworkTest {
 protected:
  // Over the socket, or over TCP with a secret.
  std::string post(const std::string& path, const std::string& key, const std::string& body,
                   const std::string& secret = {}) {
    std::vector<std::string> fields{"Content-Type: application/json", "Idempotency-Key: " + key};
    if (!secret.empty()) return ask_over_tcp("POST /api/v1/" + path, {fields[0], fields[1], bearer(secret)}, body);
    RawConnection connection = over_socket();
    fields.emplace_back("Connection: close");
    connection.send(request("POST /api/v1/" + path, fields, body));
    return connection.receive();
  }
  static std::string body_of(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }
  std::size_t jobs() { return api::decode_answer<api::JobList>(client().get("jobs")).jobs.size(); }
};

TEST_F(Idempotency, Row28ARepeatedPostIsAnsweredAndNotDoneAgain) {
  start();
  const std::string add = api::encode(request_for("kettle-7")).dump();
  const std::string first = post("concepts", "key-1", add), second = post("concepts", "key-1", add);
  EXPECT_THAT(first, AllOf(StartsWith("HTTP/1.1 201"), Not(HasSubstr("Idempotency-Replayed"))));
  EXPECT_THAT(second, AllOf(StartsWith("HTTP/1.1 201"), HasSubstr("Idempotency-Replayed: true"),
                            HasSubstr("Location: /api/v1/jobs/1")));
  EXPECT_EQ(body_of(first), body_of(second));
  ASSERT_EQ(wait_for(1).state, "done");
  const std::string learn = post("concepts/kettle-7/learn", "key-1", "{}");
  EXPECT_THAT(learn, StartsWith("HTTP/1.1 202")) << "another route, another request";
  ASSERT_EQ(wait_for(2).state, "done");
  EXPECT_EQ(body_of(post("concepts/kettle-7/learn", "key-1", "{}")), body_of(learn));
  EXPECT_EQ(jobs(), 2u) << "after the end of the first it is not learnt again";
  stop();
  start();
  EXPECT_EQ(body_of(post("concepts/kettle-7/learn", "key-1", "{}")), body_of(learn)) << "after a restart too";
  EXPECT_EQ(jobs(), 2u);
}

TEST_F(Idempotency, AnotherBodyUnderTheSameKeyIsRefusedByTheHeader) {
  start();
  add_and_learn("kettle-7");
  ASSERT_THAT(post("concepts/kettle-7/learn", "k", "{}"), StartsWith("HTTP/1.1 202"));
  const std::string refused = post("concepts/kettle-7/learn", "k", R"({"seed":7})");
  EXPECT_THAT(refused, AllOf(StartsWith("HTTP/1.1 422"), HasSubstr(R"("field":"Idempotency-Key")")));
  EXPECT_EQ(jobs(), 2u);
}

TEST_F(Idempotency, AKeyIsTheCallersOwn) {
  start();
  add_and_learn("kettle-7");
  const std::string alice = token("alice", "operator"), bob = token("bob", "operator");
  const std::string pause = R"({"reason":"alice's"})";
  const std::string first = post("learning/pause", "k", pause, alice);
  EXPECT_THAT(first, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(post("learning/pause", "k", R"({"reason":"bob's"})", bob),
              AllOf(StartsWith("HTTP/1.1 200"), Not(HasSubstr("Replayed"))));
  EXPECT_EQ(body_of(post("learning/pause", "k", pause, alice)), body_of(first));
  EXPECT_EQ(status().paused->reason, "bob's") << "alice's was not done again";
}

TEST_F(Idempotency, WhatWasRefusedMayBeTriedAgainUnderItsKey) {
  start();
  EXPECT_THAT(post("concepts/kettle-7/learn", "k", "{}"), StartsWith("HTTP/1.1 404"));
  add_and_learn("kettle-7");
  EXPECT_THAT(post("concepts/kettle-7/learn", "k", "{}"), StartsWith("HTTP/1.1 202"));
}

TEST_F(Idempotency, KeysThatAreNoneAreRefused) {
  start();
  add_and_learn("kettle-7");
  for (const std::string& key : {std::string(201, 'k'), std::string("a b"), std::string("k\xc3\xa9")})
    EXPECT_THAT(post("concepts/kettle-7/learn", key, "{}"),
                AllOf(StartsWith("HTTP/1.1 422"), HasSubstr(R"("field":"Idempotency-Key")")))
        << key;
  EXPECT_THAT(post("concepts/kettle-7/learn", "k\r\nIdempotency-Key: l", "{}"),
              AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("twice")));
  EXPECT_EQ(jobs(), 1u);
}

// Answers with a secret, and pictures, are kept nowhere.
TEST_F(Idempotency, SecretsAndPicturesAreNotKept) {
  start();
  const std::string create = R"({"name":"carol","role":"viewer"})";
  EXPECT_THAT(post("tokens", "k", create), StartsWith("HTTP/1.1 201"));
  EXPECT_THAT(post("tokens", "k", create), AllOf(StartsWith("HTTP/1.1 409"), Not(HasSubstr("cpt_"))));
  const std::string draw = R"({"prompt":"a kettle on the beach","seed":1})";
  EXPECT_THAT(post("generate", "k", draw), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(post("generate", "k", draw), Not(HasSubstr("Replayed")));
}

}  // namespace
}  // namespace conceptd::daemon::test
