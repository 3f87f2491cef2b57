// Goal: a request that is wrong in its JSON, its numbers or its words is refused by the name of what is wrong, leaves
// no trace, and the next one works; rows 6 to 12 and 20 to 28 of docs/reliability.md.
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "daemon/photo_checks.h"
#include "tests/daemon/bad_input_fixture.h"

namespace conceptd::daemon::test {
namespace {

using namespace std::string_literals;

class BadRequests : public BadInputTest {
 protected:
  BadRequests() {
    start();
    add_and_learn("kettle-7");
  }
  static Json with(const char* name, const Json& value) {
    Json body = api::encode(request_for("mug-2"));
    body[name] = value;
    return body;
  }
};

TEST_F(BadRequests, TextThatIsNoTextIsRefused) {
  const std::pair<std::string, const char*> cases[] = {
      {"{\"prompt\":\"\xff\"}"s, "body"},         {"{\"prompt\":\"\xc0\xaf\"}"s, "body"},
      {"{\"prompt\":\"\xed\xa0\x80\"}"s, "body"}, {R"({"prompt":"\ud800"})"s, "body"},
      {R"({"prompt":"\udc00\ud800"})"s, "body"},  {R"({"prompt":"a\u0000b"})"s, "prompt"},
      {R"({"prompt":"a\u001b[2Jb"})"s, "prompt"}, {"{\"prompt\":\"a\0b\"}"s, "body"}};
  for (const auto& [text, field] : cases) expect_text_refused("generate", text, 422, field);
  for (const char* name :
       {"ke\u202ettle", "ke\u200bttle", "\u043aettle", "Kettle", "-kettle", ".", "..", "a/b", "a b", "kettle\n"})
    expect_refused("concepts", with("name", name), 422, "name");
  expect_refused("concepts", with("name", "kettle\0"s), 422, "name");
  expect_refused("concepts", with("name", "\u202ekettle"), 422, "name", "'???kettle' cannot be the name");
  expect_refused("concepts", with("name", std::string(64, 'a')), 422, "name", "63");
  expect_refused("concepts", with("class", "mug\u0007"), 422, "class", "control characters");
}

TEST_F(BadRequests, JsonIsReadStrictly) {
  const std::pair<std::string, const char*> cases[] = {
      {"{\"prompt\":\"a\"} x", "body"},
      {"{\"prompt\":\"a\"}{}", "body"},
      {"{\"prompt\":\"a\",\"prompt\":\"b\"}", "body"},
      {"{\"prompt\":\"a\",\"steps\":1e999}", "body"},
      {"{\"prompt\":\"a\",\"steps\":NaN}", "body"},
      {"{\"prompt\":\"a\",\"steps\":0x10}", "body"},
      {"{\"prompt\":\"a\",\"steps\":01}", "body"},
      {"{'prompt':'a'}", "body"},
      {"{\"prompt\":\"a\",}", "body"},
      {"\xef\xbb\xbf", "body"},
      {"", "body"},
      {"null", ""},
      {"[]", ""},
      {"\"text\"", ""},
      {"{\"prompt\":\"a\",\"seed\":9007199254740992}", "seed"},
      {"{\"prompt\":\"a\",\"seed\":18446744073709551616}", "seed"},
      {"{\"prompt\":\"a\",\"steps\":-0}", "steps"},
      {"{\"prompt\":\"a\",\"steps\":4.0}", "steps"},
      {"{\"prompt\":[\"a\"]}", "prompt"},
      {"{\"prompt\":null}", "prompt"},
      {"{\"prompt\":\"" + std::string(500'000, 'a') + "\"}", "prompt"}};
  for (const auto& [text, field] : cases) expect_text_refused("generate", text, 422, field);
  expect_text_refused("generate", "{\"prompt\":\"a\",\"" + std::string(100'000, 'k') + "\":1}", 422,
                      std::string(64, 'k'), "has no field");
}

TEST_F(BadRequests, NestingIsBounded) {
  std::string objects = "{\"settings\":", lists = "{\"settings\":";
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":", lists += '[';
  expect_text_refused("concepts/kettle-7/learn", objects, 422, "body", "deeper than 32");
  expect_text_refused("concepts/kettle-7/learn", lists, 422, "body", "deeper than 32");
}

TEST_F(BadRequests, Base64IsReadStrictly) {
  const auto data = [](const Json& value) {
    Json body = api::encode(request_for("mug-2"));
    body["photos"][1]["data"] = value;
    return body;
  };
  for (const char* text : {"Zg", "Zg=", "Zm9v\n", "Zm9-", "====", "Zh=="})
    expect_refused("concepts", data(text), 422, "photos[1].data", "RFC 4648");
  expect_refused("concepts", data("data:image/png;base64,Zg=="), 422, "photos[1].data", "without 'data:'");
  expect_refused("concepts", data(5), 422, "photos[1].data");
  expect_refused("concepts", data(std::string((api::kPhotoBytesMax / 3 + 100) * 4, 'A')), 413, "photos[1].data",
                 "at most 16777216 bytes");
}

TEST_F(BadRequests, NothingIsFetchedAndNoFileIsNamed) {
  Json body = api::encode(request_for("mug-2"));
  for (const char* url : {"http://169.254.169.254/", "file:///etc/passwd", "gopher://x"}) {
    body["photos"][0] = {{"name", "a.png"}, {"url", url}};
    expect_refused("concepts", body, 422, "photos[0].data", "missing");
    body["photos"][0]["data"] = url;
    expect_refused("concepts", body, 422, "photos[0].data", "base64");
    body["photos"][0]["data"] = "Zg==";
    expect_refused("concepts", body, 422, "photos[0].url", "has no field 'url'");
  }
  expect_refused("generate", {{"prompt", "a"}, {"lora_path", "/etc/passwd"}}, 422, "lora_path", "has no field");
  expect_refused("concepts/kettle-7/learn", {{"base_folder", "/"}}, 422, "base_folder", "has no field");
}

TEST_F(BadRequests, PhotosHaveANumberAndNamesThatAreNotPaths) {
  Json body = with("photos", Json::array());
  expect_refused("concepts", body, 422, "photos", "there is none");
  const Json one = api::encode(request_for("mug-2"))["photos"][0];
  body["photos"] = Json::array();
  for (int i = 0; i < 500; ++i) body["photos"].push_back(one);
  expect_refused("concepts", body, 422, "photos", "at most 30");
  body = api::encode(request_for("mug-2"));
  body["photos"][0]["name"] = std::string(301, 'n');
  expect_refused("concepts", body, 422, "photos[0].name", "at most 300");
  body["photos"][0]["name"] = "\x1b[2J.png";
  expect_refused("concepts", body, 422, "photos[0].name", "control characters");
  body["photos"][0]["name"] = "../../../../tmp/x.png";
  client().post("concepts", body);
  EXPECT_EQ(show("mug-2").photos[0].name, "../../../../tmp/x.png") << "shown, never opened";
  EXPECT_FALSE(std::filesystem::exists("/tmp/x.png"));
}

TEST_F(BadRequests, ANameIsTakenOnceAndItsLookAlikesAreSaid) {
  expect_refused("concepts", with("name", "kettle-7"), 409, "name", "kettle-7 exists already");
  EXPECT_THAT(warnings_for("kett1e-7", {photo(101), photo(102), photo(103)}),
              testing::ElementsAre(HasSubstr("easily taken for 'kettle-7'")));
  EXPECT_EQ(look_alike("rnug-0", {"mug-1", "mug-o"}), "mug-o");
  EXPECT_EQ(look_alike("mug-2", {"mug-1", "mug-2"}), "");
  EXPECT_THAT(warnings_for("mug-3", {photo(101), photo(104), photo(105)}),
              testing::ElementsAre(HasSubstr(
                  "kett1e-7 has these photos too, and two names for one thing learn it twice: photos[0] (0.jpg)")));
}

TEST_F(BadRequests, PromptsAreTextAndNothingElse) {
  for (const char* prompt : {"{{7*7}}", "%n%n%s", "${jndi:ldap://x}", "((((a)*)*)*)*b", "'; DROP TABLE concept; --",
                             "<lora a>", "a < b > c", "$(reboot)", "a\u202eb\u200bc"})
    EXPECT_EQ(generate(prompt).prompt, prompt);
  expect_refused("generate", {{"prompt", "<lora:thing:1>"}}, 404, "prompt", "no concept is called");
  expect_refused("generate", {{"prompt", "<../../etc/passwd>"}}, 404, "prompt", "no concept is called");
  expect_refused("generate", {{"prompt", "<kettle-7@99999999999999999999>"}}, 422, "prompt", "version number");
  expect_refused("generate", {{"prompt", std::string(2001, 'a')}}, 422, "prompt", "at most 2000");
  expect_text_refused("generate", "{\"prompt\":\"" + std::string(2u << 20, 'a') + "\"}", 413, "");
  std::string many;
  for (int i = 0; i < 200; ++i) many += "<kettle-7>";
  EXPECT_EQ(generate(many).concepts.size(), 1u);
}

TEST_F(BadRequests, NumbersHaveBounds) {
  struct Case {
    const char* name;
    Json value;
  };
  const Case cases[] = {{"count", 1'000'000'000},
                        {"count", 0},
                        {"count", -1},
                        {"steps", 1'000'000},
                        {"width", 99'999},
                        {"width", 0},
                        {"width", -8},
                        {"width", "512x512"},
                        {"height", "512"},
                        {"height", 512.5},
                        {"seed", -1},
                        {"guidance", -1},
                        {"guidance", 1e30},
                        {"guidance", "NaN"},
                        {"sampler", "magic"},
                        {"sampler", ""},
                        {"gate_bias", "much"},
                        {"gate_temperature", 0},
                        {"key_lock", "tight"},
                        {"concept_attention", "on"}};
  for (const Case& item : cases) expect_refused("generate", {{"prompt", "a"}, {item.name, item.value}}, 422, item.name);
  expect_refused("generate", {{"prompt", "a"}, {"count", 16}, {"steps", 200}, {"width", 128}}, 422, "width",
                 "the work");
  expect_refused("generate", {{"prompt", "a"}, {"size", "512X512"}}, 422, "size", "has no field");
  expect_refused("concepts", with("steps", 10'001), 422, "steps");
  for (const Json& never : {Json(0), Json(-5), Json(1e12), Json("8h")})
    expect_refused("concepts", with("deadline_s", never), 422, "deadline_s");
  expect_refused("concepts", with("settings", {{"rate", "fast"}}), 422, "settings.rate");
  expect_refused("concepts/kettle-7/rollback", {{"to", 0}}, 422, "to");
  expect_refused("concepts/kettle-7/rollback", {{"to", 1'000'000'000}}, 404, "version");
  EXPECT_EQ(status().queue.pictures, 0);
}

TEST_F(BadRequests, WhatIsUnknownIsNotFoundWithNearNames) {
  expect_refused("concepts/kettle-8/learn", Json::object(), 404, "name", "did you mean kettle-7?");
  expect_refused("concepts/kettle-8/rollback", Json::object(), 404, "name", "did you mean kettle-7?");
  expect_refused("generate", {{"prompt", "<kettle-7@9>"}}, 404, "version", "the newest is 1");
  expect_refused("jobs/999/cancel", Json::object(), 404, "job");
  expect_refused("jobs/9223372036854775808/cancel", Json::object(), 422, "id");
}

TEST_F(BadRequests, CancellingTwiceIsOnceAndWhatIsDoneStaysDone) {
  const std::int64_t done = client().get("jobs")["jobs"][0]["id"];
  const std::string before = everything_stored();
  const cli::Reply late = client().exchange("POST", "/api/v1/jobs/" + std::to_string(done) + "/cancel", "{}", 30s);
  EXPECT_EQ(late.status, 409) << late.body;
  EXPECT_EQ(everything_stored(), before);
  EXPECT_EQ(job(done).state, "done");
  EXPECT_EQ(generate("a <kettle-7>").concepts[0].version, 1);
}

TEST_F(BadRequests, ARetryLearnsNothingTwice) {
  const Json body = api::encode(request_for("mug-2"));
  ASSERT_EQ(wait_for(client().post("concepts", body)["job"]["id"]).state, "done");
  expect_refused("concepts", body, 409, "name", "mug-2 exists already");
  EXPECT_EQ(status().counts.jobs_done, 2);
}

// Row 38: without descriptors a client waits, and is answered when there are some again.
TEST_F(BadRequests, FewDescriptorsAreSurvived) {
  const int waiting = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{.rlim_cur = std::min<rlim_t>(256, before.rlim_max), .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  std::vector<int> taken;
  for (int round = 0; round < 10; ++round) {  // what the daemon was about to close comes free meanwhile
    for (int fd = 0; (fd = ::fcntl(0, F_DUPFD_CLOEXEC, 0)) >= 0;) taken.push_back(fd);
    EXPECT_EQ(errno, EMFILE);
    std::this_thread::sleep_for(50ms);
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, config_.socket.c_str());
  ASSERT_EQ(::connect(waiting, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const std::string_view request = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(::send(waiting, request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
  pollfd answer{.fd = waiting, .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&answer, 1, 300), 0) << "there is no descriptor for its connection";
  for (const int fd : taken) ::close(fd);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(::poll(&answer, 1, 30'000), 1);
  std::array<char, 64> bytes{};
  const ssize_t got = ::recv(waiting, bytes.data(), bytes.size(), 0);
  ASSERT_GT(got, 0);
  EXPECT_TRUE(std::string_view(bytes.data(), static_cast<std::size_t>(got)).starts_with("HTTP/1.1 200"));
  ::close(waiting);
}

}  // namespace
}  // namespace conceptd::daemon::test
