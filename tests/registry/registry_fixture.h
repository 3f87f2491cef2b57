// A registry in a folder of its own under a clock that stands still, and the shortest way to say the usual things to
// it.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/fake_clock.h"
#include "core/log.h"
#include "registry/registry.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_folder.h"

namespace conceptd::registry::test {

using namespace conceptd::test;
using namespace std::chrono_literals;

// For thousands of lives: their syncs cost nothing there.
inline std::filesystem::path fast_disk() {
  return std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path();
}

inline ConceptName name_of(const std::string& text) { return ConceptName::parse(text); }

inline AddRequest request_for(const std::string& name, int photos = 2) {
  AddRequest request{.name = name_of(name), .class_word = "kettle", .actor = "tester"};
  for (int i = 0; i < photos; ++i)
    request.photos.push_back({.bytes = "picture " + std::to_string(i) + " of " + name,
                              .media_type = "image/png",
                              .original_name = "photo" + std::to_string(i) + ".png"});
  return request;
}

inline NewVersion result_for(const std::string& name, const std::string& delta, Verdict verdict = Verdict::accepted) {
  return {.name = name_of(name),
          .method = "perfusion",
          .base_fingerprint = "base-1",
          .delta = delta,
          .seed = 0xfedcba9876543210u,
          .settings = {{"steps", 100}},
          .metrics = {{"identity", 0.8}},
          .verdict = verdict,
          .verdict_reason = verdict == Verdict::accepted ? "all measures hold" : "identity 0.2 is below 0.5",
          .preview_png = "png of " + delta};
}

// Leases the next job, which must be of this concept, and ends it with this delta against the head of now; for a night,
// as judged beside the version that is live.
inline Committed learn_once(Registry& registry, const std::string& name, const std::string& delta,
                            Verdict verdict = Verdict::accepted, std::optional<std::int64_t> night = {}) {
  const std::optional<Job> job = registry.jobs().lease_next("worker", 60);
  if (!job || job->name != name) throw Error(Code::internal, "the next job is not to learn " + name);
  const auto head = registry.head();
  CommitRequest request{.job = job->id,
                        .fence = job->fence,
                        .version = result_for(name, delta, verdict),
                        .expected_head = head->id,
                        .actor = "worker",
                        .reason = "learnt " + name,
                        .night = night};
  if (const auto live = head->entries.find(name); night && live != head->entries.end())
    request.version.parent = live->second.version;
  return std::get<Committed>(registry.commit_learned(request));
}

class RegistryTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { spdlog::set_level(spdlog::level::warn); }
  void TearDown() override {
    if (registry_) {
      EXPECT_THAT(registry_->verify(), testing::IsEmpty());
    }
  }
  Registry& registry() { return *registry_; }
  void reopen() {
    registry_.reset();
    registry_ = Registry::open(folder_ / "data", clock_);
  }
  Added add(const std::string& name) { return registry_->add_concept(request_for(name)); }
  Committed add_and_learn(const std::string& name, const std::string& delta) {
    add(name);
    return learn_once(*registry_, name, delta);
  }
  Committed relearn(const std::string& name, const std::string& delta, Verdict verdict = Verdict::accepted) {
    registry_->jobs().enqueue({.name = name, .requested_by = "tester"});
    return learn_once(*registry_, name, delta, verdict);
  }
  int live(const std::string& name) {
    const auto head = registry_->head();
    const auto it = head->entries.find(name);
    return it == head->entries.end() ? 0 : it->second.version;
  }

  TempFolder folder_;
  FakeClock clock_;
  std::unique_ptr<Registry> registry_ = Registry::open(folder_ / "data", clock_);
};

}  // namespace conceptd::registry::test
