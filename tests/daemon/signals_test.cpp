// Goal: rows 36 and 38 of the catalogue of bad input: what happens to a daemon whose base is replaced under it, that is
// told to end many times, to reload while it learns, that loses its clients, or has few descriptors, threads or little
// memory. The daemon is a process of its own here, with the fake model and worker, and gets real signals and limits.
#include "daemon/signals.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "daemon/confine.h"
#include "tests/daemon/daemon_fixture.h"
#include "tests/daemon/raw_connection.h"

namespace conceptd::daemon::test {
namespace {

class Signals : public DaemonTest {
 protected:
  ~Signals() override {
    if (child_ > 0) ::kill(child_, SIGKILL), ::waitpid(child_, nullptr, 0);
  }
  // While this process has no other thread. first: what the child does before all else.
  void start_process(const std::function<void()>& first = {}) {
    launch(first);
    ASSERT_TRUE(starts());
  }
  void launch(const std::function<void()>& first) {
    std::filesystem::remove(started_);
    child_ = ::fork();
    if (child_ == 0) {
      try {
        if (first) first();
        catch_signals();
        Daemon daemon(config_, clock_, parts());
        daemon.start();
        ::close(::open(started_.c_str(), O_CREAT | O_WRONLY, 0600));
        wait_for_the_end(daemon);
        daemon.stop();
      } catch (const std::exception& error) {
        std::fprintf(stderr, "the daemon: %s\n", error.what());
        ::_exit(99);
      }
      ::_exit(0);
    }
  }
  // False if it has ended instead; then wait_for_end() says how.
  bool starts() {
    for (int i = 0; i < 1000; ++i, std::this_thread::sleep_for(20ms)) {
      if (std::filesystem::exists(started_)) return true;
      if (has_ended()) return false;
    }
    ADD_FAILURE() << "it neither starts nor ends: " << last_words();
    return false;
  }
  bool has_ended() const {
    siginfo_t ended{};
    return ::waitid(P_PID, static_cast<id_t>(child_), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0;
  }

  // Of root nothing is limited; and of any user, processes of other tests may run.
  void be_somebody_else() const {
    if (::geteuid() != 0) return;
    if (::setgroups(0, nullptr) != 0 || ::setgid(somebody_) != 0 || ::setuid(somebody_) != 0) ::_exit(98);
  }
  void give_to_somebody_else() const {
    if (::geteuid() != 0) return;
    ASSERT_EQ(::chown(folder_.path().c_str(), somebody_, somebody_), 0);
  }
  // From SIGUSR1 on another one, and from SIGUSR2 on this one again.
  static void limit(__rlimit_resource resource, rlim_t value, rlim_t after_usr1) {
    static __rlimit_resource limited;
    static rlimit first, second;
    limited = resource;
    first = {.rlim_cur = value, .rlim_max = std::max(value, after_usr1)};
    second = {.rlim_cur = after_usr1, .rlim_max = first.rlim_max};
    if (::setrlimit(limited, &first) != 0) ::_exit(97);
    ::signal(SIGUSR1, [](int) { ::setrlimit(limited, &second); });
    ::signal(SIGUSR2, [](int) { ::setrlimit(limited, &first); });
  }
  // Returns when the daemon has another limit for it.
  void tell(int number) {
    const std::string limits = "/proc/" + std::to_string(child_) + "/limits", before = contents(limits);
    ::kill(child_, number);
    for (int i = 0; i < 500; ++i, std::this_thread::sleep_for(10ms))
      if (contents(limits) != before) return;
    ADD_FAILURE() << "the limit stays";
  }
  void keep_last_words() const {
    if (!std::freopen((folder_ / "stderr").c_str(), "w", stderr)) ::_exit(96);
    std::setvbuf(stderr, nullptr, _IONBF, 0);
  }
  std::string last_words() const {
    return std::filesystem::exists(folder_ / "stderr") ? contents(folder_ / "stderr") : std::string();
  }

  bool answers() {
    try {
      return client().exchange("GET", "/healthz", {}, 5s).status == 200;
    } catch (const Error&) {
      return false;
    }
  }
  int wait_for_end() {
    int status = 0;
    ::waitpid(child_, &status, 0);
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  const uid_t somebody_ = 50'000 + static_cast<uid_t>(::getpid() % 10'000);
  const std::filesystem::path started_ = folder_ / "started";
  pid_t child_ = -1;
};

TEST_F(Signals, Row38AStormOfSigtermLosesNothingThatWasAcknowledged) {
  start_process();
  add_and_learn("kettle-7");
  const std::int64_t running = add("slow", "other");
  wait_until(running, [](const api::JobInfo& info) { return info.progress.step > 2; });
  for (int i = 0; i < 1000; ++i) ::kill(child_, i % 3 == 0 ? SIGINT : SIGTERM);
  EXPECT_THAT(wait_for_end(), testing::AnyOf(0, 128 + SIGTERM, 128 + SIGINT));
  start();
  EXPECT_EQ(show("kettle-7").summary.status, "live");
  EXPECT_THAT(wait_until(running, [](const api::JobInfo& info) { return info.state == "running"; }).attempts,
              testing::Le(2));
  EXPECT_THAT(client().post("verify", {{"deep", true}})["faults"], testing::IsEmpty());
  client().post("jobs/" + std::to_string(running) + "/cancel", Json::object());
}

TEST_F(Signals, Row38OneSigtermEndsItInOrder) {
  start_process();
  add("slow", "other");
  ::kill(child_, SIGTERM);
  EXPECT_EQ(wait_for_end(), 0);
  EXPECT_FALSE(std::filesystem::exists(config_.socket));
}

TEST_F(Signals, Row38SighupDuringLearningChangesNothing) {
  start_process();
  const std::int64_t id = add("steady", "other");
  wait_until(id, [](const api::JobInfo& info) { return info.progress.step > 2; });
  for (int i = 0; i < 1000; ++i) ::kill(child_, SIGHUP);
  const api::JobInfo done = wait_for(id);
  EXPECT_EQ(done.state, "done");
  EXPECT_EQ(done.attempts, 1);
  ::kill(child_, SIGTERM);
  EXPECT_EQ(wait_for_end(), 0);
}

TEST_F(Signals, Row38ClientsThatLeaveAreNoSigpipe) {
  start_process();
  ::kill(child_, SIGPIPE);
  for (int i = 0; i < 50; ++i) {
    RawConnection leaving(config_.socket);
    leaving.send("GET /api/v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
    leaving.hang_up();
  }
  EXPECT_TRUE(answers());
  ::kill(child_, SIGTERM);
  EXPECT_EQ(wait_for_end(), 0);
}

TEST_F(Signals, Row38SixtyFourDescriptorsAreEnoughToLiveAndToEnd) {
  start_process([] { limit(RLIMIT_NOFILE, 64, 64); });
  add_and_learn("kettle-7");
  {
    std::vector<RawConnection> many;
    for (int i = 0; i < 100; ++i) many.emplace_back(config_.socket);
    std::this_thread::sleep_for(300ms);
  }
  for (int i = 0; i < 500 && !answers(); ++i) std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(answers()) << "who waited while there was no descriptor is served when there is one";
  EXPECT_EQ(learn_again("kettle-7", 2).state, "done");
  ::kill(child_, SIGTERM);
  EXPECT_EQ(wait_for_end(), 0);
}

// From too few to enough, one at a time: no number of threads makes it hang or crash, and with just enough to start,
// what needs more is refused until there are more.
TEST_F(Signals, Row38TooFewThreadsAreSaidAtTheStartOrByTheRequest) {
  if (::geteuid() != 0) GTEST_SKIP() << "the limit counts all processes of a user, and only root can be another one";
  give_to_somebody_else();
  rlim_t threads = 1;
  for (;; ++threads) {
    ASSERT_LT(threads, 40u);
    launch([&] {
      keep_last_words();
      be_somebody_else();
      limit(RLIMIT_NPROC, threads, 60);
    });
    if (starts()) break;
    EXPECT_EQ(wait_for_end(), 99) << threads << " threads: " << last_words();
    EXPECT_THAT(last_words(), testing::AnyOf(HasSubstr("ulimit -u"), HasSubstr("starting "))) << threads;
  }
  EXPECT_GT(threads, 4u) << "the limit was one";
  const auto [status, error] = refused("concepts", api::encode(request_for("kettle-7")));
  EXPECT_EQ(status, 503) << "there is no process for its photos";
  EXPECT_THAT(error.message, HasSubstr("starting "));
  EXPECT_EQ(generate("a kettle").images.size(), 1u) << "pictures need no more threads than there are";
  tell(SIGUSR1);
  add_and_learn("kettle-7");
  tell(SIGUSR2);
  ::kill(child_, SIGTERM);
  EXPECT_EQ(wait_for_end(), 0) << "in order, without a thread that waits for a second signal: " << last_words();
}

// Without such a thread it is the kernel that a second signal ends it by.
TEST_F(Signals, Row38ASecondSignalEndsItAtOnceWithoutAThreadToo) {
  if (::geteuid() != 0) GTEST_SKIP() << "the limit counts all processes of a user, and only root can be another one";
  give_to_somebody_else();
  before_step_ = [](int) { std::this_thread::sleep_for(500ms); };
  start_process([&] {
    be_somebody_else();
    limit(RLIMIT_NPROC, 60, 1);
  });
  std::jthread asks([&] {
    EXPECT_ANY_THROW(client().post("generate", api::encode(api::GenerateRequest{.prompt = "a kettle", .steps = 100})));
  });
  while (status().queue.running == 0) std::this_thread::sleep_for(10ms);
  tell(SIGUSR1);
  ::kill(child_, SIGTERM);
  std::this_thread::sleep_for(1s);
  EXPECT_FALSE(has_ended()) << "the batch has its ten seconds";
  ::kill(child_, SIGTERM);
  EXPECT_EQ(wait_for_end(), -SIGTERM);
}

// The same with address space, a few megabytes at a time. With just enough to start, any request may be refused or lose
// its connection, but the daemon lives, and serves when there is more.
TEST_F(Signals, Row38TooLittleMemoryIsSaidAtTheStartOrByTheRequest) {
  if (!kConfinesMemory) GTEST_SKIP() << "a sanitizer needs all the address space there is";
  give_to_somebody_else();
  const auto launch_with = [&](rlim_t more_mb) {
    launch([&] {
      keep_last_words();
      be_somebody_else();
      std::size_t pages = 0;
      std::ifstream("/proc/self/statm") >> pages;
      limit(RLIMIT_AS, pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + (more_mb << 20), RLIM_INFINITY);
    });
  };
  rlim_t more_mb = 0;
  for (launch_with(more_mb); !starts(); launch_with(more_mb += 4)) {
    ASSERT_LT(more_mb, 1024u);
    EXPECT_EQ(wait_for_end(), 99) << more_mb << " MB: " << last_words();
    EXPECT_THAT(last_words(), HasSubstr("the daemon: ")) << more_mb;
  }
  EXPECT_GT(more_mb, 0u) << "the limit was one";
  const auto ask = [&](const std::string& path, const std::string& body) {
    try {
      const cli::Reply reply = client().exchange("POST", path, body, 60s);
      EXPECT_THAT(reply.status, testing::AnyOf(200, 503)) << reply.body.substr(0, 200);
      return reply.status;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::unavailable) << "its connection ended: " << error.what();
      return 0;
    }
  };
  const std::string large(90u << 20, ' '), small = R"({"prompt": "a kettle", "seed": 1})";
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(ask("/api/v1/concepts", large), 200);
    ask("/api/v1/generate", small);
    ASSERT_FALSE(has_ended()) << last_words();
  }
  tell(SIGUSR1);
  add_and_learn("kettle-7");
  ::kill(child_, SIGTERM);
  EXPECT_EQ(wait_for_end(), 0) << last_words();

  launch_with(more_mb + 32);
  ASSERT_TRUE(starts()) << last_words();
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(ask("/api/v1/concepts", large), 200);
    EXPECT_EQ(ask("/api/v1/generate", small), 200) << "nobody else has to do with it";
  }
  ::kill(child_, SIGTERM);
  EXPECT_EQ(wait_for_end(), 0) << last_words();
}

// What the worker and the decoder may use is bounded by whoever started the daemon, too.
TEST_F(Signals, Row38LimitsOfTheirOwnLiveBelowThoseOfTheDaemon) {
  if (!kConfinesMemory) GTEST_SKIP() << "a sanitizer needs all the address space there is";
  give_to_somebody_else();
  config_.learn_memory_mb = 4096;
  config_.attempts_max = 1;
  start_process([&] {
    be_somebody_else();
    limit(RLIMIT_DATA, 700u << 20, 700u << 20);
    limit(RLIMIT_CPU, 200, 200);
  });
  add_and_learn("kettle-7");
  const api::JobInfo failed = wait_for(add("greedy", "other"));
  EXPECT_EQ(failed.state, "failed") << "a gigabyte is more than 700 MB";
  EXPECT_EQ(failed.error_code, "exhausted");
  ::kill(child_, SIGTERM);
  EXPECT_EQ(wait_for_end(), 0);
}

TEST_F(Signals, Row36ABaseThatIsReplacedIsNotLearntOn) {
  start();
  add_and_learn("kettle-7");
  const std::vector<std::uint8_t> before = picture::decode(generate("a <kettle-7>").images.at(0).png.data).rgb;
  plant(folder_ / "base", "another base");
  const std::int64_t head = status().state.id;
  const api::JobInfo failed = learn_again("kettle-7", 2);
  EXPECT_EQ(failed.state, "failed");
  EXPECT_EQ(failed.attempts, 1) << "another attempt would find the same";
  EXPECT_EQ(failed.error_code, "conflict");
  EXPECT_THAT(failed.error_message, HasSubstr("has changed since the daemon started"));
  EXPECT_EQ(status().state.id, head);
  EXPECT_EQ(picture::decode(generate("a <kettle-7>").images.at(0).png.data).rgb, before);
  plant(folder_ / "base", "fake base");
  EXPECT_EQ(learn_again("kettle-7", 2).state, "done");
}

}  // namespace
}  // namespace conceptd::daemon::test
