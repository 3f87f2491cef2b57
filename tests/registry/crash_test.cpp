// Goal: whatever the registry has acknowledged survives a death at any moment, and what it has not is there whole or
// not at all. Method: a child process runs a script of every writing operation and is stopped (_exit) at the k-th
// durable step, for every k until the script ends: file writes, fsyncs, renames, and every write and sync that SQLite
// makes inside its commits. It acknowledges each finished operation through a pipe. The parent then opens the registry,
// verifies everything, compares what is there with what was acknowledged, and goes on working in it.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "core/file_io.h"
#include "registry/token_store.h"
#include "tests/registry/crash_vfs.h"
#include "tests/registry/registry_fixture.h"

namespace conceptd::registry::test {
namespace {

namespace fs = std::filesystem;

// What a caller can see after n operations of the script.
struct Expected {
  std::int64_t head;
  int concepts, versions;
  const char* what;
  int tokens = 0;  // that are not revoked
};
constexpr Expected kAfter[] = {
    {0, 0, 0, "nothing"},
    {0, 0, 0, "open"},
    {0, 1, 0, "add a"},
    {1, 1, 1, "learn a"},
    {1, 2, 1, "add b"},
    {2, 2, 2, "learn b"},
    {2, 2, 3, "relearn a, refused"},
    {3, 2, 4, "relearn a"},
    {4, 2, 4, "roll back a"},
    {5, 1, 4, "remove b"},
    {6, 1, 4, "roll back state"},
    {6, 1, 4, "make a token", 1},
    {6, 1, 4, "revoke the token"},
    {6, 1, 4, "back up"},
};
constexpr int kOperations = std::size(kAfter) - 1;

// Runs the script in `root` and calls acknowledge() after each operation.
void run_script(const fs::path& root, const std::function<void()>& acknowledge) {
  const FakeClock clock;
  const auto registry = Registry::open(root, clock);
  acknowledge();
  const auto relearn = [&](const std::string& delta, Verdict verdict) {
    registry->jobs().enqueue({.name = "a", .requested_by = "tester"});
    learn_once(*registry, "a", delta, verdict);
    acknowledge();
  };
  registry->add_concept(request_for("a"));
  acknowledge();
  learn_once(*registry, "a", "delta a1");
  acknowledge();
  registry->add_concept(request_for("b"));
  acknowledge();
  learn_once(*registry, "b", std::string(20'000, 'b'));  // several pages
  acknowledge();
  relearn("delta a2", Verdict::rejected);
  relearn("delta a3", Verdict::accepted);
  registry->roll_back(name_of("a"), std::nullopt, "tester", "");
  acknowledge();
  registry->remove(name_of("b"), "tester", "");
  acknowledge();
  registry->roll_back_state(3, "tester", "");
  acknowledge();
  const Token token = registry->tokens().create({.name = "alice", .role = Role::creator, .actor = "tester"}).token;
  acknowledge();
  registry->tokens().revoke(token.id, "tester");
  acknowledge();
  registry->back_up(root / "backups/nightly.db");
  acknowledge();
}

struct Death {
  int acknowledged = 0;
  bool finished = false;
};

// The script in a child that dies at the k-th step.
Death run_until(const fs::path& root, int k) {
  int pipe_ends[2];
  if (::pipe(pipe_ends) != 0) throw std::runtime_error("pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    install_crash_vfs();
    int step = 0;
    set_durable_step_hook([&](const DurableStep&) {
      if (++step == k) ::_exit(42);
    });
    run_script(root, [&] {
      if (::write(pipe_ends[1], ".", 1) != 1) ::_exit(1);
    });
    ::_exit(0);
  }
  ::close(pipe_ends[1]);
  Death death;
  char dots[kOperations + 1];
  for (ssize_t count; (count = ::read(pipe_ends[0], dots, sizeof dots)) > 0;)
    death.acknowledged += static_cast<int>(count);
  ::close(pipe_ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && (WEXITSTATUS(status) == 42 || WEXITSTATUS(status) == 0));
  death.finished = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return death;
}

// A fake clock at the same time, a registry opened again: all holds, and it goes on.
void check_after(const fs::path& root, const Death& death) {
  const FakeClock clock;
  const auto registry = Registry::open(root, clock);
  ASSERT_THAT(registry->verify(), testing::IsEmpty());
  const Expected& sure = kAfter[death.acknowledged];
  const Expected& perhaps = kAfter[std::min(death.acknowledged + 1, kOperations)];
  const Counts counts = registry->counts();
  EXPECT_TRUE(counts.head == sure.head || counts.head == perhaps.head) << counts.head << " after " << sure.what;
  EXPECT_TRUE(counts.concepts == sure.concepts || counts.concepts == perhaps.concepts) << sure.what;
  EXPECT_TRUE(counts.versions == sure.versions || counts.versions == perhaps.versions) << sure.what;
  const std::vector<Token> made = registry->tokens().list();
  const auto tokens = std::count_if(made.begin(), made.end(), [](const Token& token) { return !token.revoked_at; });
  EXPECT_TRUE(tokens == sure.tokens || tokens == perhaps.tokens) << tokens << " tokens after " << sure.what;
  for (const auto& [name, entry] : registry->head()->entries) EXPECT_NO_THROW(registry->delta(entry.delta));
  for (const auto& entry : fs::recursive_directory_iterator(root / "photos"))
    EXPECT_NE(entry.path().extension(), kTemporarySuffix) << "swept at start";

  registry->jobs().requeue_expired(true);
  while (const auto job = registry->jobs().lease_next("w", 60)) registry->jobs().complete(job->id, job->fence);
  registry->add_concept(request_for("after"));
  const Committed committed = learn_once(*registry, "after", "delta after");
  EXPECT_EQ(committed.version.number, 1);
  EXPECT_EQ(committed.state->id, counts.head + 1);
  EXPECT_THAT(registry->verify(), testing::IsEmpty());
}

TEST(Crash, AtAnyStepLosesNothingThatWasAcknowledged) {
  const fs::path fast = fs::is_directory("/dev/shm") ? "/dev/shm" : fs::temp_directory_path();
  spdlog::set_level(spdlog::level::warn);
  int k = 0;
  for (bool finished = false; !finished;) {
    const TempFolder folder(fast);
    fs::create_directories(folder / "data/photos");
    const Death death = run_until(folder / "data", ++k);
    SCOPED_TRACE("died at step " + std::to_string(k) + " after " + kAfter[death.acknowledged].what);
    check_after(folder / "data", death);
    if (HasFatalFailure()) return;
    finished = death.finished;
    if (finished) {
      EXPECT_EQ(death.acknowledged, kOperations);
    }
  }
  EXPECT_GT(k, 200) << "so few steps cannot have reached inside SQLite";
  RecordProperty("steps", k);
}

TEST(Crash, AFailureAtAnyStepOfOursLeavesARegistryThatGoesOn) {
  spdlog::set_level(spdlog::level::off);  // each failure is rolled back, and some say so
  const fs::path fast = fs::is_directory("/dev/shm") ? "/dev/shm" : fs::temp_directory_path();
  for (int k = 1;; ++k) {
    const TempFolder folder(fast);
    fs::create_directories(folder / "data/photos");
    int step = 0, acknowledged = 0;
    set_durable_step_hook([&](const DurableStep&) {
      if (++step == k) throw Error(Code::exhausted, "disk full");
    });
    bool failed = false;
    try {
      run_script(folder / "data", [&] { ++acknowledged; });
    } catch (const Error& error) {
      failed = true;
      EXPECT_EQ(error.code(), Code::exhausted) << error.what();
    }
    set_durable_step_hook({});
    SCOPED_TRACE("failed at step " + std::to_string(k));
    check_after(folder / "data", {acknowledged, !failed});
    if (HasFatalFailure() || !failed) break;
  }
  spdlog::set_level(spdlog::level::warn);
}

}  // namespace
}  // namespace conceptd::registry::test
