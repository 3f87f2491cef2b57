// Goal: nobody does what their role does not hold, wherever they come from, and no secret is ever seen. Rows 43 and 44
// of the catalogue of bad input have their tests here.
#include "daemon/access.h"

#include <grp.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

#include "core/log.h"
#include "daemon/routes.h"
#include "registry/registry.h"
#include "tests/daemon/network_fixture.h"

namespace conceptd::daemon::test {
namespace {

using registry::Role;
using testing::AllOf;
using testing::Not;
using testing::StartsWith;

class AccessOver : public NetworkTest {
 protected:
  static std::string path_of(const Routes::Listed& route) {
    std::string path = "/api/v1/" + std::string(route.pattern);
    if (const std::size_t at = path.find("{}"); at != std::string::npos) path.replace(at, 2, "1");
    return path;
  }
  std::string ask(const Routes::Listed& route, const std::vector<std::string>& fields) {
    std::vector<std::string> all = fields;
    all.emplace_back("Content-Type: application/json");
    return ask_over_tcp(std::string(route.method) + " " + path_of(route), all, route.method == "POST" ? "{}" : "");
  }
  std::int64_t add_as(const std::string& secret, const std::string& name) {
    const Json answer = network_client(secret).post("concepts", api::encode(request_for(name, "other")));
    return api::decode_answer<api::Queued>(answer).job.id;
  }
};

TEST_F(AccessOver, TheNetworkEveryRouteAsksWhoYouAre) {
  start();
  ASSERT_GT(Routes::all().size(), 10u);
  for (const Routes::Listed& route : Routes::all()) {
    const std::string answer = ask(route, {});
    EXPECT_EQ(status_of(answer), 401) << route.method << " " << route.pattern;
    EXPECT_THAT(answer, AllOf(HasSubstr("WWW-Authenticate: Bearer"), HasSubstr("\"code\":\"unauthenticated\""),
                              HasSubstr("conceptctl token create")))
        << route.pattern;
  }
  for (const char* line :
       {"GET /", "GET /api/v1/nothing", "DELETE /api/v1/concepts", "OPTIONS /api/v1/concepts", "GET /readyz",
        "GET /metrics", "GET /healthz/", "GET //healthz", "GET /healthz%00", "BREW /coffee"})
    EXPECT_EQ(status_of(ask_over_tcp(line)), 401) << line;
  EXPECT_EQ(status_of(ask_over_tcp("GET /healthz")), 200) << "which says nothing but that somebody is there";
}

TEST_F(AccessOver, TheNetworkEveryRouteAsksForItsRole) {
  start();
  std::map<Role, std::string> secrets;
  for (const Role role : registry::kRoles)
    secrets[role] = token("a-" + std::string(to_string(role)), std::string(to_string(role)));
  std::map<Role, int> routes;
  for (const Routes::Listed& route : Routes::all()) {
    ++routes[route.role];
    for (const Role role : registry::kRoles) {
      const std::string answer = ask(route, {bearer(secrets[role])}), what = std::string(route.method) + " " +
                                                                             std::string(route.pattern) + " as " +
                                                                             std::string(to_string(role));
      if (role < route.role)
        EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 403"), HasSubstr("\"code\":\"forbidden\""),
                                  HasSubstr("is for the role " + std::string(to_string(route.role)))))
            << what;
      else
        EXPECT_THAT(answer, AllOf(Not(StartsWith("HTTP/1.1 401")), Not(StartsWith("HTTP/1.1 403")))) << what;
    }
  }
  EXPECT_EQ(routes.size(), registry::kRoles.size()) << "each role is needed somewhere";
}

TEST_F(AccessOver, ACreatorMayDoWithTheirOwnWhatTheyMayNotDoWithOthers) {
  start();
  const std::string alice = token("alice", "creator"), bob = token("bob", "creator"),
                    carol = token("carol", "operator");
  const std::int64_t first = add_as(alice, "slow");
  EXPECT_EQ(job(first).requested_by, "token:alice");
  const std::string cancel = "jobs/" + std::to_string(first) + "/cancel";
  EXPECT_ERROR(network_client(bob).post(cancel, Json::object()), Code::forbidden, "is token:alice's");
  EXPECT_NE(job(first).state, "cancelled");
  network_client(alice).post(cancel, Json::object());
  EXPECT_EQ(job(first).state, "cancelled");
  EXPECT_ERROR(network_client(bob).post("concepts/slow/learn", Json::object()), Code::forbidden, "is token:alice's");
  const Json again = network_client(alice).post("concepts/slow/learn", {{"method", "other"}});
  const std::int64_t second = api::decode_answer<api::Queued>(again).job.id;
  network_client(carol).post("jobs/" + std::to_string(second) + "/cancel", Json::object());
  EXPECT_EQ(job(second).state, "cancelled");
  network_client(carol).post("concepts/slow/learn", {{"method", "other"}});
}

// Row 43: tokens.
TEST_F(AccessOver, Row43ATokenThatDoesNotCountIs401) {
  start();
  const std::string alice = token("alice", "admin");
  std::string other = alice;
  other.back() = other.back() == '0' ? '1' : '0';
  const auto with = [&](const std::string& field) { return ask_over_tcp("GET /api/v1/status", {field}); };
  EXPECT_THAT(with(bearer(alice)), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(with("authorization: bEARER " + alice), StartsWith("HTTP/1.1 200"));
  for (const std::string& field : {bearer(other), bearer(alice + "0"), bearer(alice.substr(0, 40)), bearer("x"),
                                   bearer(""), std::string("Authorization: Basic YWRtaW46YWRtaW4="),
                                   "Authorization: " + alice, bearer(std::string(7000, 'x')), "Cookie: token=" + alice})
    EXPECT_THAT(with(field), AllOf(StartsWith("HTTP/1.1 401"), HasSubstr("WWW-Authenticate"))) << field.substr(0, 90);
  EXPECT_THAT(with(bearer(std::string(1 << 20, 'x'))), StartsWith("HTTP/1.1 431"));
}

TEST_F(AccessOver, Row43ARevokedOrExpiredTokenEndsInTheMiddleOfAConnection) {
  start();
  const std::string alice = token("alice", "viewer"), brief = token("brief", "viewer", 1);
  RawConnection connection = over_tcp();
  connection.send(request("GET /api/v1/jobs", {bearer(alice)}));
  EXPECT_THAT(connection.receive("[]}"), StartsWith("HTTP/1.1 200"));
  client().post("tokens/alice/revoke", {{"reason", "lost"}});
  connection.send(request("GET /api/v1/jobs", {bearer(alice)}));
  EXPECT_THAT(connection.receive(), AllOf(StartsWith("HTTP/1.1 401"), HasSubstr("was revoked at")));
  std::this_thread::sleep_for(1100ms);
  EXPECT_THAT(ask_over_tcp("GET /api/v1/jobs", {bearer(brief)}),
              AllOf(StartsWith("HTTP/1.1 401"), HasSubstr("expired at")));
}

TEST_F(AccessOver, Row43ASecretIsNeverLoggedAndNeverStandsInAUrl) {
  std::ostringstream said;
  const auto before = spdlog::default_logger();
  const auto logger = std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(said));
  logger->set_level(spdlog::level::trace);
  spdlog::set_default_logger(logger);
  start();
  const std::string alice = token("alice", "viewer");
  EXPECT_THAT(ask_over_tcp("GET /api/v1/jobs?token=" + alice, {bearer(alice)}),
              AllOf(StartsWith("HTTP/1.1 422"), HasSubstr("never stands in a URL"), Not(HasSubstr(alice))));
  EXPECT_THAT(ask_over_tcp("GET /" + alice), AllOf(StartsWith("HTTP/1.1 422"), Not(HasSubstr(alice))));
  ask_over_tcp("GET /api/v1/jobs", {bearer(alice + "0")});
  ask_over_tcp("POST /api/v1/tokens", {bearer(alice)});
  EXPECT_EQ(status_of(ask_over_tcp("GET /api/v1/status", {bearer(alice)})), 200);
  client().post("tokens/alice/revoke", Json::object());
  ask_over_tcp("GET /api/v1/jobs", {bearer(alice)});
  stop();
  spdlog::set_default_logger(before);
  EXPECT_THAT(said.str(), AllOf(HasSubstr("refused 127.0.0.1"), Not(HasSubstr(alice.substr(4, 20)))));
  std::string stored;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(config_.data_dir))
    if (entry.is_regular_file()) stored += contents(entry.path());
  EXPECT_THAT(stored, AllOf(HasSubstr("alice"), Not(HasSubstr(alice.substr(4, 20)))));
}

TEST_F(AccessOver, TheSocketATokenCountsToo) {
  start();
  const std::string viewer = token("alice", "viewer");
  const cli::Client as_alice(cli::Endpoint{.socket = config_.socket, .token = viewer});
  EXPECT_NO_THROW(as_alice.get("status"));
  EXPECT_ERROR(as_alice.post("generate", {{"prompt", "a"}}), Code::forbidden, "token:alice is viewer");
  const cli::Client wrong(cli::Endpoint{.socket = config_.socket, .token = "cpt_wrong"});
  EXPECT_ERROR(wrong.get("status"), Code::unauthenticated, "not one that this daemon knows");
}

// Row 44: what a web page could make a browser send.
TEST_F(AccessOver, Row44AHostThatIsNotOursIsRefused) {
  config_.tcp.hosts = {"pictures.example.com"};
  start();
  const std::string alice = token("alice", "admin");
  const std::string number = ":" + std::to_string(port());
  for (const std::string& host :
       {"localhost" + number, std::string("LOCALHOST"), "127.0.0.1" + number, std::string("Pictures.Example.com:443")})
    EXPECT_EQ(status_of(ask_over_tcp("GET /api/v1/status", {"Host: " + host, bearer(alice)})), 200) << host;
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::1]",
                           "localhost:80@evil.example", "192.0.2.7"})
    for (const char* path : {"/api/v1/status", "/healthz"})
      EXPECT_THAT(ask_over_tcp("GET " + std::string(path), {"Host: " + std::string(host), bearer(alice)}),
                  AllOf(StartsWith("HTTP/1.1 403"), HasSubstr("tcp.hosts")))
          << host;
  RawConnection without = over_tcp();
  without.send("GET /healthz HTTP/1.1\r\n\r\n");
  EXPECT_THAT(without.receive(), StartsWith("HTTP/1.1 403"));
}

TEST_F(AccessOver, Row44AWriteFromAnotherOriginIsRefused) {
  start();
  const std::string alice = token("alice", "admin");
  const auto write = [&](const std::string& origin) {
    return status_of(ask_over_tcp("POST /api/v1/generate",
                                  {"Origin: " + origin, bearer(alice), "Content-Type: application/json"},
                                  "{\"prompt\": \"a kettle\"}"));
  };
  for (const char* origin : {"null", "http://evil.example", "https://localhost.evil.example", "file://", "localhost",
                             "http://localhost@evil.example"})
    EXPECT_EQ(write(origin), 403) << origin;
  EXPECT_EQ(write("http://localhost:" + std::to_string(port())), 200);
  const std::string body = "{\"prompt\": \"a kettle\"}";
  RawConnection socket = over_socket();
  socket.send(
      request("POST /api/v1/generate", {"Origin: http://evil.example", "Content-Type: application/json"}, body));
  EXPECT_THAT(socket.receive(), StartsWith("HTTP/1.1 403")) << "whatever stands before the socket";
}

TEST_F(AccessOver, Row44ABodyThatAFormCouldSendIsRefusedAndNoPageMayReadAnAnswer) {
  start();
  const std::string alice = token("alice", "admin"), body = "{\"prompt\": \"a kettle\"}";
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                           "text/plain; application/json", "application/jsonp"})
    EXPECT_THAT(ask_over_tcp("POST /api/v1/generate", {bearer(alice), "Content-Type: " + std::string(type)}, body),
                AllOf(StartsWith("HTTP/1.1 422"), HasSubstr("Content-Type")))
        << type;
  EXPECT_THAT(
      ask_over_tcp("POST /api/v1/generate",
                   {bearer(alice), "Content-Type: application/json; charset=utf-8", "Origin: http://localhost"}, body),
      AllOf(StartsWith("HTTP/1.1 200"), Not(HasSubstr("Access-Control"))));
  EXPECT_THAT(ask_over_tcp("OPTIONS /api/v1/generate",
                           {"Origin: http://localhost", bearer(alice), "Access-Control-Request-Method: POST"}),
              AllOf(StartsWith("HTTP/1.1 405"), Not(HasSubstr("Access-Control"))));
}

TEST_F(AccessOver, TheApiTokensAreMadeListedAndRevoked) {
  start();
  const std::string alice = token("alice", "creator", 0), admin = token("admin-1", "admin");
  EXPECT_ERROR(token("alice", "viewer"), Code::conflict, "called 'alice' already");
  EXPECT_ERROR(token("Alice!", "viewer"), Code::invalid, "whose it is");
  EXPECT_ERROR(token("bob", "boss"), Code::invalid, "viewer, creator, operator, admin");
  EXPECT_ERROR(token("bob", "viewer", -1), Code::invalid, "'lifetime_s' must be between");
  network_client(alice).get("status");
  const Json answer = network_client(admin).get("tokens");
  EXPECT_THAT(answer.dump(), AllOf(Not(HasSubstr("cpt_")), Not(HasSubstr("hash")), Not(HasSubstr("secret"))));
  const auto list = api::decode_answer<api::TokenList>(answer);
  ASSERT_EQ(list.tokens.size(), 2u);
  EXPECT_EQ(list.tokens[1].name, "alice");
  EXPECT_EQ(list.tokens[1].state, "valid");
  EXPECT_FALSE(list.tokens[1].expires_at);
  EXPECT_TRUE(list.tokens[1].last_used_at);
  const TimePoint ends = parse_iso8601(list.tokens[0].expires_at.value());
  EXPECT_NEAR(static_cast<double>((ends - clock_.now()).count()), 90 * 86'400e3, 60e3);
  network_client(admin).post("tokens/1/revoke", Json::object());
  EXPECT_ERROR(network_client(alice).get("status"), Code::unauthenticated, "was revoked");
  EXPECT_ERROR(network_client(admin).post("tokens/alice/revoke", Json::object()), Code::not_found, "called 'alice'");
  EXPECT_ERROR(network_client(admin).post("tokens/99/revoke", Json::object()), Code::not_found, "no token 99");
}

TEST(AccessRoles, TheNameGoesBeforeTheGroupsAndTheGroupsBeforeTheRest) {
  TempFolder folder;
  const SystemClock clock;
  const auto registry = registry::Registry::open(folder / "data", clock);
  const Access access({.grants = {{.is_group = false, .id = 1001, .role = Role::viewer},
                                  {.is_group = true, .id = 500, .role = Role::admin},
                                  {.is_group = true, .id = 501, .role = Role::creator}},
                       .others = Role::operator_},
                      registry->tokens());
  EXPECT_EQ(access.role_of({.uid = 0}), Role::admin);
  EXPECT_EQ(access.role_of({.uid = ::geteuid()}), Role::admin);
  EXPECT_EQ(access.role_of({.uid = 1001, .groups = {500}}), Role::viewer) << "named";
  EXPECT_EQ(access.role_of({.uid = 1002, .groups = {7, 501, 500}}), Role::admin) << "the highest of the groups";
  EXPECT_EQ(access.role_of({.uid = 1002, .groups = {501}}), Role::creator);
  EXPECT_EQ(access.role_of({.uid = 1002, .groups = {7}}), Role::operator_);
  EXPECT_EQ(access.role_of({.uid = 500}), Role::operator_) << "a user is no group";
}

TEST_F(AccessOver, TheSocketTheKernelSaysWhoItIs) {
  if (::geteuid() != 0) GTEST_SKIP() << "another user can only be had by root";
  config_.access = {.admins = {"@4242"}, .viewers = {"65534"}, .others = "creator"};
  start();
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(config_.socket.c_str(), 0666), 0);
  const auto answer_to = [&](uid_t uid, const std::vector<gid_t>& groups) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setgroups(groups.size(), groups.data()) != 0 || ::setgid(65534) != 0 || ::setuid(uid) != 0) ::_exit(1);
      RawConnection connection(config_.socket);
      connection.send("GET /api/v1/tokens HTTP/1.1\r\nConnection: close\r\n\r\n");
      const std::string answer = connection.receive();
      if (::write(ends[1], answer.data(), answer.size()) < 0) ::_exit(1);
      ::_exit(0);
    }
    ::close(ends[1]);
    std::string answer(8192, '\0');
    const ssize_t size = ::read(ends[0], answer.data(), answer.size());
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    return answer.substr(0, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  };
  EXPECT_THAT(answer_to(65534, {4242}), AllOf(StartsWith("HTTP/1.1 403"), HasSubstr("is viewer")));
  EXPECT_THAT(answer_to(65533, {}), AllOf(StartsWith("HTTP/1.1 403"), HasSubstr("uid 65533 is creator")));
  EXPECT_THAT(answer_to(65533, {7, 4242}), StartsWith("HTTP/1.1 200")) << "by one of the groups of its process";
  EXPECT_NO_THROW(client().get("tokens")) << "root is an admin";
}

}  // namespace
}  // namespace conceptd::daemon::test
