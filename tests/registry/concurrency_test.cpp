// Goal: readers never see a torn, a vanishing or a backward state, and no publisher's work is lost. Method: threads
// that publish, roll back and read at once; meant to run under ThreadSanitizer too.
#include <atomic>
#include <functional>
#include <thread>

#include "tests/registry/registry_fixture.h"

namespace conceptd::registry::test {
namespace {

class Concurrency : public RegistryTest {};

TEST_F(Concurrency, ReadersSeeWholeStatesInOrderWhileOneIsPublishing) {
  add_and_learn("even", "0");
  add_and_learn("odd", "0");
  std::atomic<bool> stop{false};
  std::atomic<int> looked{0};
  std::vector<std::jthread> readers;
  for (int i = 0; i < 3; ++i)
    readers.emplace_back([&] {
      std::int64_t last = 0;
      while (!stop) {
        const auto head = registry().head();
        EXPECT_GE(head->id, last);
        last = head->id;
        EXPECT_EQ(head->entries.size(), 2u);
        for (const auto& [name, entry] : head->entries) {
          const std::string bytes = registry().delta(entry.delta);
          EXPECT_EQ(Digest::of(bytes), entry.delta);
        }
        EXPECT_EQ(registry().state(head->id)->entries, head->entries);
        ++looked;
      }
    });
  for (int i = 1; i <= 25 || looked < 20; ++i) {
    relearn(i % 2 ? "odd" : "even", std::to_string(i));
    if (i % 5 == 0) registry().roll_back(name_of("odd"), std::nullopt, "tester", "", Pinning::leave_free);
  }
  stop = true;
  readers.clear();
  EXPECT_GT(looked, 0);
}

// Hashing takes nearly all of their time, and none of it is another's.
TEST_F(Concurrency, VerifyAndGcLetOthersThroughBetweenTwoFiles) {
  constexpr int kBlobs = 24;
  constexpr std::size_t kBytes = 2u << 20;
  AddRequest request = request_for("kettle-7", kBlobs);
  for (int i = 0; i < kBlobs; ++i) request.photos[static_cast<std::size_t>(i)].bytes.append(kBytes, 'x');
  registry().add_concept(request);
  for (int i = 0; i < kBlobs; ++i)
    registry().stage_version(result_for("kettle-7", "delta " + std::to_string(i) + std::string(kBytes, 'x')), "tester");
  const auto others_during = [&](const std::function<void()>& work) {
    std::atomic<bool> done{false};
    std::jthread worker([&] {
      work();
      done = true;
    });
    int counted = 0;
    for (; !done; ++counted) {
      registry().counts();
      if (counted % 4 == 0) registry().jobs().pause(std::nullopt, "tester", "a writer");
    }
    return counted;
  };
  EXPECT_GT(others_during([&] { EXPECT_THAT(registry().verify(), testing::IsEmpty()); }), kBlobs / 2);
  EXPECT_GT(others_during([&] { EXPECT_TRUE(registry().gc({}, "tester").versions.empty()); }), kBlobs / 4);
}

TEST_F(Concurrency, PublishersThatMeetTryAgainAndNothingIsLost) {
  constexpr int kThreads = 4, kRounds = 6;
  for (int t = 0; t < kThreads; ++t) add("c" + std::to_string(t));
  std::atomic<int> conflicts{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      const std::string name = "c" + std::to_string(t);
      for (int round = 1; round <= kRounds; ++round) {
        const Version staged = registry().stage_version(result_for(name, name + std::to_string(round)), "thread");
        EXPECT_EQ(staged.number, round);
        for (std::int64_t expected = registry().head()->id;;) {
          const PublishOutcome outcome = registry().publish(name_of(name), round, expected, "thread", "");
          if (std::holds_alternative<Published>(outcome)) break;
          expected = std::get<Conflict>(outcome).head->id;
          ++conflicts;
        }
      }
    });
  threads.clear();
  EXPECT_EQ(registry().head()->id, kThreads * kRounds) << "one state for each publication";
  for (int t = 0; t < kThreads; ++t) EXPECT_EQ(live("c" + std::to_string(t)), kRounds);
  for (std::int64_t id = 1; id <= kThreads * kRounds; ++id) {
    const auto before = registry().state(id - 1), after = registry().state(id);
    int changed = 0;
    for (const auto& [name, entry] : after->entries) {
      const auto it = before->entries.find(name);
      changed += it == before->entries.end() || it->second != entry;
    }
    EXPECT_EQ(changed, 1) << "state " << id;
  }
}

TEST_F(Concurrency, WorkersThatLeaseAtOnceNeverGetTheSameJob) {
  constexpr int kJobs = 24;
  for (int i = 0; i < kJobs; ++i) registry().jobs().enqueue({.kind = JobKind::evaluate, .requested_by = "tester"});
  std::mutex mutex;
  std::set<std::int64_t> done;
  std::vector<std::jthread> workers;
  for (int t = 0; t < 4; ++t)
    workers.emplace_back([&] {
      while (const auto job = registry().jobs().lease_next("w", 60)) {
        registry().jobs().heartbeat(job->id, job->fence, {.step = 1, .steps = 1}, 60);
        registry().jobs().complete(job->id, job->fence);
        const std::lock_guard lock(mutex);
        EXPECT_TRUE(done.insert(job->id).second);
      }
    });
  workers.clear();
  EXPECT_EQ(done.size(), static_cast<std::size_t>(kJobs));
}

}  // namespace
}  // namespace conceptd::registry::test
