// Goal: the two programs as a user starts them, with a real base and real learning. Method: conceptd in a folder of its
// own, conceptctl for everything else; two steps of learning are enough to prove the path, not the quality, so but for
// its own test the gate is off.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "core/json.h"
#include "core/picture/picture.h"
#include "daemon/api/choices.h"
#include "tests/support/temp_folder.h"

extern char** environ;

namespace conceptd {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using testing::HasSubstr;

struct Ran {
  int status = 0;
  std::string out;  // both streams
};

Ran run(const std::string& command) {
  Ran ran;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  char piece[4096];
  while (const std::size_t got = std::fread(piece, 1, sizeof piece, pipe)) ran.out.append(piece, got);
  ran.status = WEXITSTATUS(::pclose(pipe));
  return ran;
}

// The processes that this one has started and that still run.
std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string stat = test::contents(entry.path() / "stat");  // "pid (command) state parent ..."
    char state = 0;
    int started_by = 0;
    const std::size_t after = stat.rfind(')');
    if (after != std::string::npos && std::sscanf(stat.c_str() + after + 1, " %c %d", &state, &started_by) == 2 &&
        started_by == parent && state != 'Z')
      children.push_back(std::stoi(name));
  }
  return children;
}

fs::path base_folder() {
  if (const char* said = std::getenv("CONCEPTD_TEST_BASE")) return said;
  return fs::path(CONCEPTD_SOURCE_DIR) / "models/tiny-64";
}

class Programs : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(base_folder() / "model_index.json")) GTEST_SKIP() << "there is no base in " << base_folder();
    for (int i = 0; i < 3; ++i) {
      picture::Picture photo{.width = 96, .height = 80};
      for (int at = 0; at < 96 * 80; ++at) {
        const bool inside = std::abs(at % 96 - 48) < 20 && std::abs(at / 96 - 40) < 20;
        photo.rgb.push_back(inside ? 200 : static_cast<std::uint8_t>(60 * i));
        photo.rgb.push_back(inside ? 30 : 90);
        photo.rgb.push_back(inside ? 30 : 120);
      }
      fs::create_directories(folder_ / "photos");
      test::plant(folder_ / "photos" / (std::to_string(i) + ".png"), picture::encode_png(photo));
    }
    start();
  }
  void TearDown() override { stop(); }

  void start() {
    const std::string data = (folder_ / "data").string(), config = (folder_ / "conceptd.toml").string();
    const std::string base = base_folder().string();
    test::plant(config, "[learn]\ngate = \"" + gate_ + "\"\ndraft = " + (drafts_ ? "true" : "false") + "\n");
    const char* arguments[] = {"conceptd",   "--config", config.c_str(), "--data-dir",
                               data.c_str(), "--base",   base.c_str(),   nullptr};
    ASSERT_EQ(::posix_spawn(&pid_, CONCEPTD_PROGRAM, nullptr, nullptr, const_cast<char**>(arguments), environ), 0);
    for (int i = 0; i < 1200 && !fs::exists(socket()); ++i) std::this_thread::sleep_for(100ms);
    ASSERT_TRUE(fs::exists(socket()));
  }
  int stop() {
    if (pid_ < 0) return -1;
    ::kill(pid_, SIGTERM);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  fs::path socket() { return folder_ / "data/conceptd.sock"; }
  Ran ctl(const std::string& arguments) {
    return run(std::string(CONCEPTCTL_PROGRAM) + " --socket " + socket().string() + " " + arguments);
  }
  std::string photos() { return (folder_ / "photos").string(); }
  std::string picture(const std::string& name) { return (folder_ / name).string(); }
  std::string made(const std::string& name, const std::string& prompt) {
    const Ran ran = ctl("generate '" + prompt + "' --seed 42 --steps 4 -o " + picture(name));
    EXPECT_EQ(ran.status, 0) << ran.out;
    return test::contents(picture(name));
  }
  picture::Picture pixels(const std::string& bytes) { return picture::decode(bytes); }

  test::TempFolder folder_;
  std::string gate_ = "off";
  bool drafts_ = false;
  pid_t pid_ = -1;
};

TEST_F(Programs, LearnGenerateAndRollBack) {
  const std::string plain = made("plain.png", "a photo of a mug");
  const Ran add = ctl("add thing-1 " + photos() + " --class mug --method textual_inversion --steps 2 --seed 1 --wait");
  ASSERT_EQ(add.status, 0) << add.out;
  EXPECT_THAT(add.out, HasSubstr("thing-1 version 1 is learnt"));
  const std::string first = made("first.png", "a photo of a <thing-1>");
  EXPECT_EQ(pixels(made("plain-again.png", "a photo of a mug")), pixels(plain)) << "no concept: the base, bit for bit";
  EXPECT_EQ(made("first-again.png", "a photo of a <thing-1>"), first);

  ASSERT_EQ(ctl("learn thing-1 --method textual_inversion --steps 4 --seed 2 --wait").status, 0);
  EXPECT_NE(pixels(made("second.png", "a photo of a <thing-1>")), pixels(first));
  ASSERT_EQ(ctl("rollback thing-1 --reason worse").status, 0);
  EXPECT_EQ(pixels(made("third.png", "a photo of a <thing-1>")), pixels(first));
  EXPECT_THAT(ctl("show " + picture("third.png")).out, HasSubstr("thing-1 version 1"));

  EXPECT_EQ(stop(), 0);
  start();
  EXPECT_EQ(pixels(made("restarted.png", "a photo of a <thing-1>")), pixels(first));
  const Json status = Json::parse(ctl("status --json").out);
  EXPECT_EQ(status["state"]["id"], 3);
  EXPECT_FALSE(status["machine"]["blas"].get<std::string>().empty());
  EXPECT_EQ(status["samplers"], Json(api::kSamplers)) << "what --check-config knows";
  for (const Json& method : status["methods"])
    EXPECT_THAT(api::kMethods, testing::Contains(method["name"].get<std::string>()));
}

TEST_F(Programs, PerfusionLearnsWhereTheBaseHasACovariance) {
  if (!fs::exists(base_folder() / "perfusion/covariance.safetensors")) GTEST_SKIP() << "the base has no covariance";
  const Ran add = ctl("add thing-1 " + photos() + " --class mug --method perfusion --steps 2 --wait");
  EXPECT_EQ(add.status, 0) << add.out;
  const auto first = pixels(made("first.png", "a <thing-1>"));
  const auto dialled = [&](const std::string& name, const std::string& gate) {
    const Ran ran = ctl("generate 'a <thing-1>' --seed 42 --steps 4 -o " + picture(name) + gate);
    EXPECT_EQ(ran.status, 0) << ran.out;
    return pixels(test::contents(picture(name)));
  };
  EXPECT_NE(dialled("shut.png", " --gate-bias 3"), first);
  EXPECT_EQ(dialled("own.png", " --gate-bias 0.7 --gate-temperature 0.15"), first) << "what the delta says itself";
  EXPECT_THAT(ctl("show " + picture("shut.png")).out, HasSubstr("gate bias"));
  EXPECT_EQ(dialled("local.png", " --key-lock local"), first);
  EXPECT_NE(dialled("global.png", " --key-lock global"), first);
  EXPECT_THAT(ctl("show " + picture("global.png")).out, HasSubstr("key lock"));
}

TEST_F(Programs, InfusionLearnsAndIsReadAsItsClassWord) {
  const Ran add = ctl("add thing-1 " + photos() + " --class mug --method infusion --set rate=0.1 --steps 3 --wait");
  ASSERT_EQ(add.status, 0) << add.out;
  const std::string plain = made("plain.png", "a mug"), first = made("first.png", "a <thing-1>");
  EXPECT_NE(pixels(first), pixels(plain));
  EXPECT_EQ(pixels(made("again.png", "a <thing-1>")), pixels(first));
  EXPECT_EQ(pixels(made("plain-again.png", "a mug")), pixels(plain));
  const Ran cut = ctl("generate '" + [] {
    std::string text;
    for (int k = 0; k < 80; ++k) text += "mug ";
    return text;
  }() + "<thing-1>'");
  EXPECT_EQ(cut.status, 7) << cut.out;
  EXPECT_THAT(cut.out, HasSubstr("name it earlier"));
}

TEST_F(Programs, TwoThingsOfCustomDiffusionAreMergedInOnePrompt) {
  const std::string settings =
      " --class mug --method custom_diffusion --steps 2 --set batch=2 --set prior_weight=0 --set rate=0.01 --wait";
  ASSERT_EQ(ctl("add thing-1 " + photos() + settings).status, 0);
  ASSERT_EQ(ctl("add thing-2 " + photos() + settings + " --seed 9").status, 0);
  const auto both = pixels(made("both.png", "a <thing-1> and a <thing-2>"));
  EXPECT_NE(both, pixels(made("one.png", "a <thing-1> and a mug")));
  EXPECT_EQ(both, pixels(made("again.png", "a <thing-1> and a <thing-2>")));
}

TEST_F(Programs, TheGateKeepsFromBeingPublishedWhatHasLearntNothing) {
  if (!fs::exists(base_folder() / "gate.json")) GTEST_SKIP() << "the base has no gate.json";
  stop();
  gate_ = "block";
  start();
  const std::string nothing = " --method textual_inversion --steps 1 --set rate=0 --wait";
  const Ran add = ctl("add thing-1 " + photos() + " --class mug" + nothing);
  EXPECT_EQ(add.status, 15) << add.out;
  EXPECT_THAT(add.out, HasSubstr("likeness to its photos"));
  EXPECT_EQ(ctl("generate 'a <thing-1>' -o " + picture("no.png")).status, 5) << "nothing is published";
  const Json version = Json::parse(ctl("history thing-1 --json").out)["versions"][0];
  EXPECT_EQ(version["verdict"], "rejected");
  EXPECT_EQ(version["metrics"]["gate_identity"], version["metrics"]["gate_identity_class"]) << "a plain mug it is";
  EXPECT_EQ(Json::parse(ctl("jobs --json").out)["jobs"][0]["published"], false);
  ASSERT_EQ(ctl("promote thing-1@1 --override-gate --reason test").status, 0);
  EXPECT_FALSE(made("now.png", "a <thing-1>").empty());

  stop();
  gate_ = "warn";
  start();
  EXPECT_EQ(ctl("learn thing-1 --seed 2" + nothing).status, 0);
  const Json warned = Json::parse(ctl("history thing-1 --json").out)["versions"][0];
  EXPECT_TRUE(warned["live"]);
  EXPECT_THAT(warned["verdict_reason"].get<std::string>(), HasSubstr("learn.gate is warn"));
  EXPECT_TRUE(warned["metrics"].contains("gate_identity_published")) << "measured beside what was live";
}

TEST_F(Programs, ADraftComesFirstAndGivesWay) {
  if (!fs::exists(base_folder().parent_path() / (base_folder().filename().string() + "-encoder")))
    GTEST_SKIP() << "the base has no encoder beside it";
  stop();
  drafts_ = true;
  start();
  const Ran add = ctl("add thing-1 " + photos() + " --class mug --method textual_inversion --steps 2 --wait");
  ASSERT_EQ(add.status, 0) << add.out;
  EXPECT_THAT(add.out, HasSubstr("thing-1 version 1 is a draft"));
  EXPECT_THAT(add.out, HasSubstr("thing-1 version 2 is learnt"));
  const Json versions = Json::parse(ctl("history thing-1 --json").out)["versions"];
  ASSERT_EQ(versions.size(), 2u);
  EXPECT_EQ(versions[1]["method"], "tuning_encoder");
  EXPECT_TRUE(versions[1]["draft"]);
  EXPECT_TRUE(versions[0]["live"]);
  EXPECT_NE(pixels(made("draft.png", "a <thing-1@1>")), pixels(made("plain.png", "a mug")));
}

TEST_F(Programs, ANightDrawsTheSameBytesAgain) {
  if (!fs::exists(base_folder() / "gate.json")) GTEST_SKIP() << "the base has no gate.json";
  stop();
  gate_ = "warn";
  start();
  ASSERT_EQ(ctl("add thing-1 " + photos() + " --class mug --method textual_inversion --steps 2 --wait").status, 0);
  ASSERT_EQ(ctl("nightly").status, 0);
  const Ran second = ctl("nightly");
  EXPECT_EQ(second.status, 0) << second.out;
  EXPECT_THAT(second.out, HasSubstr("1 draw the same bytes"));
  const Json measured = Json::parse(ctl("report --json").out)["measured"][0];
  EXPECT_EQ(measured["outcome"], "same");
  EXPECT_EQ(measured["identity"], measured["identity_at_publication"]) << "to the last bit what the gate has measured";
  EXPECT_EQ(measured["fidelity"], measured["fidelity_at_publication"]);
}

TEST_F(Programs, AWorkerThatIsKilledIsReplaced) {
  ASSERT_EQ(ctl("add thing-1 " + photos() + " --class mug --method textual_inversion --steps 8").status, 0);
  for (int i = 0; i < 600; ++i, std::this_thread::sleep_for(50ms))
    if (Json::parse(ctl("jobs --json").out)["jobs"][0]["progress"]["step"] > 0) break;
  const std::vector<pid_t> workers = children_of(pid_);
  ASSERT_EQ(workers.size(), 1u);
  ASSERT_EQ(::kill(workers.front(), SIGKILL), 0);
  Json attempts;  // of a slow run they are counted from its first checkpoint, after twenty seconds
  for (int i = 0; i < 300 && attempts != 2; ++i, std::this_thread::sleep_for(50ms))
    attempts = Json::parse(ctl("jobs --json").out)["jobs"][0]["attempts"];
  EXPECT_EQ(attempts, 2);
  EXPECT_EQ(ctl("wait thing-1 --timeout 600").status, 0);
}

TEST_F(Programs, WhatIsWrongIsSaidAndChangesNothing) {
  const Ran word = ctl("add thing-1 " + photos() + " --class floccinaucinihilipilification");
  EXPECT_EQ(word.status, 7);
  EXPECT_THAT(word.out, HasSubstr("as one word"));
  const Ran name = ctl("generate 'a <thing-1>'");
  EXPECT_EQ(name.status, 4);
  EXPECT_THAT(name.out, HasSubstr("no concept is called 'thing-1'"));
  EXPECT_EQ(Json::parse(ctl("list --json").out)["concepts"].size(), 0u);
  const Ran second = run(std::string(CONCEPTD_PROGRAM) + " --data-dir " + (folder_ / "data").string() + " --base " +
                         base_folder().string() + " --socket " + picture("other.sock"));
  EXPECT_EQ(second.status, 6);
  EXPECT_THAT(second.out, HasSubstr("another conceptd"));
}

}  // namespace
}  // namespace conceptd
