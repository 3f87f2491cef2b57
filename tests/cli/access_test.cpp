// Goal: a secret reaches the daemon it is for and the file it is for, and nobody else: no argument, no environment, no
// output but the one that was asked for.
#include <sys/stat.h>

#include "cli/endpoint.h"
#include "tests/cli/commands_fixture.h"

namespace conceptd::cli {
namespace {

const std::string kSecret = "cpt_" + std::string(64, 'a');

class CliAccess : public Commands {
 protected:
  ~CliAccess() override {
    for (const char* name : {"CONCEPTD_URL", "CONCEPTD_TOKEN_FILE", "CONCEPTD_SOCKET"}) ::unsetenv(name);
  }
  std::string plant_token(const std::string& text, mode_t mode = 0600) {
    test::plant(folder_ / "token", text);
    ::chmod((folder_ / "token").c_str(), mode);
    return (folder_ / "token").string();
  }
  static api::TokenInfo token() {
    api::TokenInfo token;
    token.id = 3, token.name = "alice", token.role = "creator", token.state = "valid", token.created_by = "root";
    token.expires_at = "2027-02-20T01:14:05.123Z";
    return token;
  }
};

TEST_F(CliAccess, OptionsGoBeforeTheEnvironmentAndAUrlBeforeTheSocket) {
  ::setenv("CONCEPTD_SOCKET", "/run/one.sock", 1);
  EXPECT_EQ(find_endpoint({}).shown(), "/run/one.sock");
  ::setenv("CONCEPTD_URL", "https://pictures.example.com", 1);
  EXPECT_EQ(find_endpoint({}).shown(), "https://pictures.example.com:443");
  EXPECT_EQ(find_endpoint({.url = "https://other.example.com:7860/"}).shown(), "https://other.example.com:7860");
  EXPECT_EQ(find_endpoint({.socket = "/run/two.sock"}).shown(), "/run/two.sock");
  EXPECT_THAT(run({"--url", "https://a", "list"}).err, HasSubstr("excludes")) << "the fixture names a socket";
  EXPECT_ERROR(find_endpoint({.url = "pictures.example.com"}), Code::invalid, "begins with https://");
}

TEST_F(CliAccess, ATokenIsReadFromAFileThatIsItsOwnersAlone) {
  ::setenv("CONCEPTD_URL", "https://pictures.example.com", 1);
  const std::string file = plant_token(kSecret + "\n");
  EXPECT_EQ(find_endpoint({}).token, "");
  EXPECT_EQ(find_endpoint({.token_file = file}).token, kSecret);
  ::setenv("CONCEPTD_TOKEN_FILE", file.c_str(), 1);
  EXPECT_EQ(find_endpoint({}).token, kSecret);
  EXPECT_EQ(find_endpoint({.socket = "/run/one.sock"}).token, "") << "there one is who one is";
  EXPECT_EQ(find_endpoint({.socket = "/run/one.sock", .token_file = file}).token, kSecret);
  plant_token(kSecret, 0640);
  EXPECT_ERROR(find_endpoint({}), Code::invalid, "chmod 600 " + file);
  for (const std::string& text :
       {std::string(), std::string("secret"), kSecret + "\n" + kSecret, "Bearer " + kSecret}) {
    plant_token(text);
    EXPECT_ERROR(find_endpoint({}), Code::invalid, "does not hold a token");
  }
  EXPECT_ERROR(find_endpoint({.token_file = (folder_ / "none").string()}), Code::not_found, "none");
}

TEST_F(CliAccess, ATokenDoesNotTravelInTheClear) {
  const std::string file = plant_token(kSecret);
  EXPECT_ERROR(find_endpoint({.url = "http://pictures.example.com", .token_file = file}), Code::invalid,
               "write https://");
  EXPECT_EQ(find_endpoint({.url = "http://127.0.0.1:7860", .token_file = file}).token, kSecret);
  EXPECT_EQ(find_endpoint({.url = "http://localhost:7860", .token_file = file}).token, kSecret);
}

TEST_F(CliAccess, ASecretIsShownOnceAloneOnStdout) {
  answers_["POST /api/v1/tokens"] = {.status = 201, .body = api::encode(api::TokenCreated{token(), kSecret}).dump()};
  const Ran ran = run({"token", "create", "alice", "--role", "creator", "--expires", "12h"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.out, kSecret + "\n");
  EXPECT_THAT(ran.err, HasSubstr("Token 3 for alice: creator, until 2027-02-20 01:14"));
  EXPECT_EQ(Json::parse(asked_["POST /api/v1/tokens"]),
            (Json{{"name", "alice"}, {"role", "creator"}, {"lifetime_s", 43'200}}));
  EXPECT_EQ(Json::parse(run({"--json", "token", "create", "alice", "--role", "creator"}).out)["secret"], kSecret);
  EXPECT_EQ(Json::parse(asked_["POST /api/v1/tokens"])["lifetime_s"], nullptr);
  run({"token", "create", "alice", "--role", "creator", "--expires", "never"});
  EXPECT_EQ(Json::parse(asked_["POST /api/v1/tokens"])["lifetime_s"], 0);
  for (const char* time : {"90", "d", "-1d", "0d", "90y", "90dd", "3651d", "999999d"})
    EXPECT_THAT(run({"token", "create", "a", "--role", "viewer", "--expires", time}).err, HasSubstr("no lifetime"))
        << time;
  EXPECT_EQ(run({"token", "create", "alice", "--role", "boss"}).status, kExitUsage);
}

TEST_F(CliAccess, ASecretInAFileIsNowhereElse) {
  answers_["POST /api/v1/tokens"] = {.status = 201, .body = api::encode(api::TokenCreated{token(), kSecret}).dump()};
  const std::string file = (folder_ / "alice.token").string();
  const Ran ran = run({"token", "create", "alice", "--role", "creator", "--out", file});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ((ran.out + ran.err).find("cpt_"), std::string::npos);
  EXPECT_EQ(test::contents(file), kSecret + "\n");
  struct stat info {};
  ASSERT_EQ(::stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(find_endpoint({.socket = "/x", .token_file = file}).token, kSecret) << "--token-file takes it";

  asked_.clear();
  EXPECT_THAT(run({"token", "create", "bob", "--role", "viewer", "--out", file}).err, HasSubstr("it is there already"));
  EXPECT_TRUE(asked_.empty()) << "no token is made that nobody would see";
  EXPECT_EQ(test::contents(file), kSecret + "\n");
  const std::string other = (folder_ / "other.token").string();
  const Json document = Json::parse(run({"--json", "token", "create", "a", "--role", "viewer", "--out", other}).out);
  EXPECT_FALSE(document.contains("secret"));
  EXPECT_EQ(document["file"], other);
  answers_["POST /api/v1/tokens"] = {.status = 409,
                                     .body = api::encode_error({.code = "conflict", .message = "there is one"}).dump()};
  const std::string third = (folder_ / "third.token").string();
  EXPECT_EQ(run({"token", "create", "alice", "--role", "viewer", "--out", third}).status, 5);
  EXPECT_FALSE(std::filesystem::exists(third));
}

TEST_F(CliAccess, TokensAreListedAndRevoked) {
  api::TokenInfo old = token();
  old.id = 2, old.name = "bob", old.state = "revoked";
  answers_["GET /api/v1/tokens"] = {.body = api::encode(api::TokenList{{token(), old}}).dump()};
  EXPECT_THAT(run({"token", "list"}).out, testing::AllOf(HasSubstr("alice"), testing::Not(HasSubstr("bob"))));
  EXPECT_THAT(run({"token", "list", "--all"}).out, testing::AllOf(HasSubstr("alice"), HasSubstr("revoked")));
  EXPECT_EQ(Json::parse(run({"--json", "token", "list"}).out)["tokens"].size(), 2u);
  answers_["POST /api/v1/tokens/alice/revoke"] = {.body = api::encode(api::TokenAnswer{token()}).dump()};
  EXPECT_THAT(run({"token", "revoke", "alice", "--reason", "left"}).out, HasSubstr("lets nobody in any more"));
  EXPECT_EQ(Json::parse(asked_["POST /api/v1/tokens/alice/revoke"])["reason"], "left");
}

TEST_F(CliAccess, WhoIsNotLetInOrMayNotGetsAnExitStatusOfItsOwn) {
  for (const auto& [code, http, status] : {std::tuple("unauthenticated", 401, 13), std::tuple("forbidden", 403, 14)}) {
    answers_["GET /api/v1/status"] = {.status = http,
                                      .body = api::encode_error({.code = code, .message = "no"}).dump()};
    EXPECT_EQ(run({"status"}).status, status);
    EXPECT_EQ(Json::parse(run({"--json", "status"}).out)["error"]["code"], code);
  }
}

}  // namespace
}  // namespace conceptd::cli
