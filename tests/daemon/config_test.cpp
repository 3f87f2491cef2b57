#include "daemon/config.h"

#include "daemon/access_config.h"
#include "tests/support/certificate.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_folder.h"

namespace conceptd::daemon {
namespace {

class ConfigFile : public testing::Test {
 protected:
  ConfigFile() {
    std::filesystem::create_directories(folder_ / "base");
    test::plant(folder_ / "base/model_index.json", "{}");
  }
  Config load(const std::string& text, Flags flags = {}) {
    test::plant(folder_ / "conceptd.toml", text);
    flags.file = folder_ / "conceptd.toml";
    if (!flags.base) flags.base = folder_ / "base";
    if (!flags.data_dir) flags.data_dir = folder_ / "data";
    return load_config(flags);
  }
  test::TempFolder folder_;
};

TEST_F(ConfigFile, IsReadAndFlagsGoFirst) {
  const Config config = load("threads = 3\ndtype = \"fp32\"\n[generate]\nqueue = 5\n[learn]\nstall_s = 30\n",
                             {.threads = 1, .log_level = "debug"});
  EXPECT_EQ(config.threads, 1);
  EXPECT_EQ(config.dtype, "fp32");
  EXPECT_EQ(config.queue_max, 5);
  EXPECT_EQ(config.stall_s, 30);
  EXPECT_EQ(config.log_level, "debug");
  EXPECT_EQ(config.socket, folder_ / "data/conceptd.sock");
}

TEST_F(ConfigFile, EveryProblemIsListed) {
  try {
    load("thread = 3\ndtype = \"fp8\"\n[generate]\nqueue = 0\nguidance = \"high\"\n[photos]\nside_min = true\n");
    FAIL() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::invalid);
    for (const char* part : {"line 1: thread is not a setting", "'fp8' is none of", "line 4: generate.queue must be",
                             "line 5: generate.guidance", "line 7: photos.side_min"})
      EXPECT_THAT(error.what(), testing::HasSubstr(part));
  }
  EXPECT_ERROR(load("threads = = 3"), Code::invalid, "line 1");
  EXPECT_ERROR(load("", {.base = "/nowhere"}), Code::invalid, "/nowhere is not a model folder");
  EXPECT_ERROR(load("", {.socket = "/" + std::string(200, 'x')}), Code::invalid, "at most 107 characters");
}

TEST_F(ConfigFile, AChoiceThatTheStartWouldRefuseIsRefused) {
  EXPECT_ERROR(load("[log]\nlevel = \"loud\"\n"), Code::invalid, "log.level: 'loud' is none of trace");
  EXPECT_ERROR(load("", {.log_level = "loud"}), Code::invalid, "log.level: 'loud'");
  EXPECT_ERROR(load("[learn]\ngate = \"open\"\n"), Code::invalid, "learn.gate: 'open' is none of block, warn, off");
  EXPECT_ERROR(load("[learn]\nmethod = \"alchemy\"\n"), Code::invalid, "learn.method: 'alchemy' is none of perfusion");
  EXPECT_ERROR(load("[generate]\nsampler = \"magic\"\n"), Code::invalid, "generate.sampler: 'magic' is none of ddim");
  EXPECT_ERROR(load("[photos]\nside_max = 8193\n"), Code::invalid, "photos.side_max must be");
  const Config config =
      load("[learn]\nmethod = \"perfusion\"\n[generate]\nsampler = \"dpmpp_2m\"\n[log]\nlevel = \"off\"\n");
  EXPECT_EQ(config.sampler, "dpmpp_2m");
}

TEST_F(ConfigFile, SaysWhoMayDoWhat) {
  const Config config = load(
      "[access]\nadmins = [\"root\", \"@0\"]\noperators = [\"12345\"]\ncreators = [\"@root\"]\nothers = \"viewer\"\n");
  const AccessRules rules = access_rules(config);
  ASSERT_EQ(rules.grants.size(), 4u);
  EXPECT_EQ(rules.grants[0].id, 0u);
  EXPECT_FALSE(rules.grants[0].is_group);
  EXPECT_TRUE(rules.grants[1].is_group);
  EXPECT_EQ(rules.grants[2].id, 12345u);
  EXPECT_EQ(rules.grants[2].role, registry::Role::operator_);
  EXPECT_TRUE(rules.grants[3].is_group);
  EXPECT_EQ(rules.others, registry::Role::viewer);
  EXPECT_ERROR(load("[access]\nviewers = [\"nobody-by-this-name\"]\n"), Code::invalid,
               "access.viewers: there is no user called 'nobody-by-this-name'");
  EXPECT_ERROR(load("[access]\nviewers = [\"@no-such-group\"]\n"), Code::invalid, "there is no group called");
  EXPECT_ERROR(load("[access]\nothers = \"boss\"\n"), Code::invalid, "access.others: there is no role called 'boss'");
  EXPECT_ERROR(load("[access]\nadmins = \"root\"\n"), Code::invalid, "line 2: access.admins must be a list of texts");
  EXPECT_ERROR(load("[access]\nadmins = [1]\n"), Code::invalid, "must be a list of texts");
}

TEST_F(ConfigFile, TheNetworkIsListenedAtOnlyAsItSays) {
  EXPECT_FALSE(tcp_listener(load("")));
  const test::Certificate made = test::make_certificate(folder_.path(), "site");
  const std::string tls = "certificate = \"site.pem\"\nkey = \"site.key\"\n";
  const auto at = [](const std::string& listen) { return "[tcp]\nlisten = \"" + listen + "\"\n"; };
  const auto listener = tcp_listener(load(at("192.0.2.7:7860") + tls + "hosts = [\"Pictures.example.com\"]\n"));
  ASSERT_TRUE(listener && listener->tls);
  EXPECT_EQ(listener->tls->key, made.key) << "a path begins at the file's folder";
  EXPECT_EQ(access_rules(load(at("192.0.2.7:7860") + tls + "hosts = [\"Pictures.example.com\"]\n")).hosts,
            (std::vector<std::string>{"pictures.example.com", "192.0.2.7"}));
  EXPECT_FALSE(tcp_listener(load(at("[::1]:7860") + "insecure_loopback = true\n"))->tls);

  EXPECT_ERROR(load(at("127.0.0.1:7860")), Code::invalid, "tcp.insecure_loopback: without a certificate");
  EXPECT_ERROR(load(at("192.0.2.7:7860")), Code::invalid, "tcp.certificate: only a loopback address");
  EXPECT_ERROR(load(at("192.0.2.7:7860") + "insecure_loopback = true\n"), Code::invalid, "only a loopback address");
  EXPECT_ERROR(load(at("127.0.0.1:7860") + tls + "insecure_loopback = true\n"), Code::invalid,
               "there is a certificate");
  EXPECT_ERROR(load(at("0.0.0.0:7860") + tls), Code::invalid, "tcp.hosts: who listens at 0.0.0.0");
  EXPECT_ERROR(load(at("192.0.2.7:7860") + "certificate = \"site.pem\"\n"), Code::invalid, "tcp.key: it is missing");
  EXPECT_ERROR(load(at("localhost:7860") + tls), Code::invalid, "is a name; write the IP address");
  EXPECT_ERROR(load(at("7860") + tls), Code::invalid, "is not HOST:PORT");
  EXPECT_ERROR(load("[tcp]\n" + tls), Code::invalid, "tcp.listen: it is missing");
  EXPECT_ERROR(load(at("192.0.2.7:7860") + tls + "hosts = [\"a:1\"]\n"), Code::invalid, "write it without a port");
  std::filesystem::permissions(made.key, std::filesystem::perms(0644));
  EXPECT_ERROR(load(at("192.0.2.7:7860") + tls), Code::invalid, "chmod 600");
}

TEST_F(ConfigFile, WhatIsNoneOfOursIsRefused) {
  EXPECT_ERROR(load("[learn]\nstal_s = 60\n"), Code::invalid,
               "line 2: learn.stal_s is not a setting; did you mean stall_s?");
  EXPECT_ERROR(load("threads = \"3\"\n"), Code::invalid, "line 1: threads must be a whole number");
  EXPECT_ERROR(load("threads = 99999999999999999999\n"), Code::invalid, "line 1");
  EXPECT_ERROR(load("[generate]\nguidance = nan\n"), Code::invalid, "generate.guidance must be");
  EXPECT_ERROR(load("learn = 3\n"), Code::invalid, "learn must be a section");
  EXPECT_ERROR(load("threads = 1\nthreads = 2\n"), Code::invalid, "line 2");
  EXPECT_ERROR(load("base = \"\xff\"\n"), Code::invalid, "line 1");
  EXPECT_ERROR(load("\"\\u001b[2J\" = 1\n"), Code::invalid, "?[2J is not a setting");
  EXPECT_ERROR(load("a = " + std::string(100'000, '[')), Code::invalid, "line 1");
  EXPECT_ERROR(load("# " + std::string(10u << 20, 'x')), Code::exhausted, "holds more than 1048576 bytes");
  EXPECT_ERROR(load_config({.file = folder_.path()}), Code::invalid, "not a regular file");
  EXPECT_ERROR(load_config({.file = folder_ / "none.toml"}), Code::not_found, "none.toml");
}

TEST_F(ConfigFile, WhoMayWriteItIsChecked) {
  EXPECT_NO_THROW(load(""));
  std::filesystem::permissions(folder_ / "conceptd.toml", std::filesystem::perms::others_write,
                               std::filesystem::perm_options::add);
  EXPECT_ERROR(load(""), Code::invalid, "everybody may write it; take that away: chmod o-w");
}

TEST_F(ConfigFile, AFolderHasItsNameHoweverItIsWritten) {
  for (const char* text : {"base", "base/", "base//", "./base/.", "other/../base/"}) {
    const Config config = load("", {.base = folder_ / text});
    EXPECT_EQ(config.base, folder_ / "base") << text;
    EXPECT_EQ(config.base.filename(), "base") << text;
  }
  EXPECT_EQ(load("", {.data_dir = folder_ / "data/"}).data_dir, folder_ / "data");
}

TEST_F(ConfigFile, TheShippedOneCanBeUsed) {
  const std::string shipped = test::contents(std::filesystem::path(CONCEPTD_SOURCE_DIR) / "packaging/conceptd.toml");
  ASSERT_FALSE(shipped.empty());
  EXPECT_NO_THROW(load(shipped));
  // Every setting that it mentions in a comment is one.
  std::string uncommented;
  for (std::size_t at = 0; at < shipped.size();) {
    const std::size_t end = std::min(shipped.find('\n', at), shipped.size());
    std::string line = shipped.substr(at, end - at);
    if (line.starts_with("#") && line.find(" = ") != std::string::npos) line.erase(0, 1);
    uncommented += line + "\n";
    at = end + 1;
  }
  EXPECT_NO_THROW(load(uncommented));
}

}  // namespace
}  // namespace conceptd::daemon
