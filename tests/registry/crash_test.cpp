// Goal: whatever the registry has acknowledged survives, and what it has not is there whole or not at all, whatever
// becomes of any one durable step: the process dies before it or in the middle of it, the disk fails, or is full.
//
// Method: a child process lives through a script of every operation there is and reports each one that it finished. It
// meets one fate at its k-th durable step (a write, sync, truncation or deletion of SQLite's, or a step of
// core/file_io), for every k until the script ends. After a death the parent opens what is left: it must pass every
// check, be the state after the last operation that was reported or the one after that, and go on working. After a
// failed step the child itself tries the operation again and lives on to the end, without a restart. Where the power
// fails, the folder becomes what a disk would hold (power_shadow.h) before the parent looks.
//
// Every k is a few thousand lives: CONCEPTD_LONG_TESTS=1 does them all, CONCEPTD_LONG_TESTS=4 every fourth. Otherwise
// each fate is met at kSample points, spread over the script.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "core/file_io.h"
#include "registry/answer_store.h"
#include "registry/exchange.h"
#include "registry/migrate.h"
#include "registry/night_store.h"
#include "registry/restore.h"
#include "registry/sqlite.h"
#include "registry/token_store.h"
#include "tests/registry/crash_vfs.h"
#include "tests/registry/power_shadow.h"
#include "tests/registry/registry_fixture.h"

namespace conceptd::registry::test {
namespace {

namespace fs = std::filesystem;

constexpr int kSample = 5;
constexpr int kFailed = 43;

// From one point to the next.
int stride_over(int steps) {
  const char* said = std::getenv("CONCEPTD_LONG_TESTS");
  return std::max(1, said ? std::atoi(said) : steps / kSample);
}

// What a reader can see of a registry. With its erasures or without: a gc that refuses after a failure is right.
std::string seen(Registry& registry, bool erasures) {
  Json json{{"head", registry.head()->id}, {"states", registry.states().size()}};
  for (const auto& [name, entry] : registry.head()->entries) json["live"][name] = entry.version;
  for (const ConceptRecord& record : registry.list(true)) {
    Json& one = json["concepts"][record.name];
    one["removed"] = record.removed_at.has_value();
    one["pinned"] = record.pin ? record.pin->version : 0;
    if (erasures || !record.removed_at) one["photos"] = record.photos.size();
    for (const Alias& alias : registry.aliases(name_of(record.name))) one["aliases"][alias.name] = alias.version;
    for (const Version& version : registry.history(name_of(record.name)))
      one["versions"].push_back({version.number, version.delta.hex(), version.published, version.overridden,
                                 erasures && version.erased_at.has_value()});
  }
  for (const Night& night : registry.nights().list(10)) {
    Json& one = json["nights"][std::to_string(night.id)];
    one = {{"state", to_string(night.state)}, {"published", night.published}, {"after", night.state_after.value_or(0)}};
    for (const NightLearnt& item : registry.nights().learnt(night.id))
      one["learnt"].push_back(item.name + std::to_string(item.version) + item.outcome);
    one["measures"] = registry.nights().measures(night.id, night.id).size();
    one["hashed_last"] = registry.nights().oldest_buckets(256).back();
  }
  json["paused"] = registry.jobs().paused().has_value();
  for (const Token& token : registry.tokens().list()) json["tokens"].push_back(token.revoked_at.has_value());
  return json.dump();
}

// What seen() with erasures would have said without them.
std::string without_erasures(const std::string& text) {
  if (text.empty()) return text;
  Json json = Json::parse(text);
  if (!json.contains("concepts")) return text;
  for (Json& one : json["concepts"]) {
    if (one["removed"]) one.erase("photos");
    if (one.contains("versions"))
      for (Json& version : one["versions"]) version.back() = false;
  }
  return json.dump();
}

// What must only ever grow, in order: the rows of the audit, and the jobs that are over. Between two operations that
// were reported it may have any of what lies between.
struct Ledger {
  std::vector<std::string> audit;
  std::vector<std::string> jobs;      // over or not, by number; one that is over says how it ended
  std::vector<std::int64_t> is_over;  // their numbers
};

Ledger ledger_of(Registry& registry) {
  Ledger ledger;
  for (AuditRow& row : registry.audit({}, 10'000)) {
    row.detail.erase("database");  // of a backup: no two lives have the same tokens
    ledger.audit.insert(ledger.audit.begin(), row.action + " " + row.subject + " " + row.detail.dump());
  }
  for (const Job& job : registry.jobs().list({.limit = 10'000})) {
    const bool over = job.state != JobState::queued && job.state != JobState::running;
    ledger.jobs.insert(ledger.jobs.begin(), job.name + (over ? " " + std::string(to_string(job.state)) : ""));
    if (over) ledger.is_over.insert(ledger.is_over.begin(), job.id);
  }
  return ledger;
}

// before <= now <= after, as what can only grow does.
void expect_between(const Ledger& before, const Ledger& now, const Ledger& after) {
  const auto begins_with = [](const std::vector<std::string>& longer, const std::vector<std::string>& shorter) {
    return shorter.size() <= longer.size() && std::equal(shorter.begin(), shorter.end(), longer.begin());
  };
  EXPECT_TRUE(begins_with(now.audit, before.audit)) << "a row of the audit was lost";
  EXPECT_TRUE(begins_with(after.audit, now.audit)) << "the audit says what was not done";
  EXPECT_LE(now.jobs.size(), after.jobs.size());
  ASSERT_GE(now.jobs.size(), before.jobs.size()) << "a job was lost";
  for (const std::int64_t id : before.is_over) {
    const auto at = static_cast<std::size_t>(id) - 1;
    EXPECT_EQ(now.jobs[at], before.jobs[at]) << "job " << id << " was over";
  }
}

// One life, from an old schema to a restored backup. Each operation may be tried again after it failed.
class Life {
 public:
  // finished: called after each operation, with null while none is open. failed: what to do before one is tried again;
  // null: a failure is the end.
  Life(fs::path root, std::function<void()> failed, std::function<void(Registry*)> finished)
      : root_(std::move(root)), failed_(std::move(failed)), finished_(std::move(finished)) {}

  void live() {
    operation([&] { old_schema(); });
    operation([&] { registry_ = Registry::open(data(), clock_); });
    operation([&] { add("a"); });
    operation([&] { learn("a", "delta a1"); });
    operation([&] { add("b"); });
    operation([&] { learn("b", std::string(20'000, 'b')); });  // several pages
    operation([&] { learn("a", "delta a2", Verdict::rejected); });
    operation([&] { learn("a", "delta a3"); });
    operation([&] { registry_->set_alias(name_of("b"), "print", 1, "tester"); });
    operation([&] { registry_->roll_back(name_of("a"), 1, "tester", "worse"); });
    operation([&] { learn("a", "delta a4"); });  // held
    operation([&] { registry_->promote(name_of("a"), 2, true, "tester", "all the same"); });
    operation([&] { registry_->unpin(name_of("a"), "tester", ""); });
    operation([&] { registry_->pin(name_of("b"), 1, "tester", ""); });
    operation([&] { registry_->remove(name_of("b"), "tester", ""); });
    operation([&] { registry_->undelete(name_of("b"), "tester", ""); });
    operation([&] { registry_->roll_back_state(3, "tester", "", Pinning::leave_free); });
    operation([&] { learn("a", "delta a5"); });
    operation([&] { registry_->remove_alias(name_of("b"), "print", "tester"); });
    operation([&] { add("c", true); });
    operation([&] { registry_->remove(name_of("c"), "tester", ""); });
    operation([&] { checkpoint(); });
    operation([&] { registry_->jobs().pause(std::nullopt, "tester", "enough"); });
    operation([&] { registry_->jobs().resume("tester"); });
    operation([&] { make_token(); });
    operation([&] { registry_->tokens().revoke(registry_->tokens().list().front().id, "tester"); });
    operation([&] { registry_->export_versions({{name_of("a"), "1"}, {name_of("b"), "1"}}, "tester"); });
    operation([&] { import({"e", "f"}, "delta e1"); });
    operation([&] { registry_->promote(name_of("e"), 1, false, "tester", ""); });
    operation([&] { import({"e"}, "delta e2"); });
    operation([&] { answer("k"); });
    operation([&] { begin_night(); });
    operation([&] { learn_at_night("delta a6"); });
    operation([&] { learn_at_night("delta a7", Verdict::rejected); });
    operation([&] { registry_->publish_night(1, consolidated(), "tester"); });
    operation([&] { measure("a"); });
    operation([&] { registry_->nights().note_verified(1, 7); });
    operation([&] { end_night(); });
    operation([&] { collect(); });
    operation([&] { registry_->back_up(data() / "backups/older", "tester"); });
    operation([&] { registry_->remove_backup("older", "tester"); });
    operation([&] { registry_->back_up(data() / "backups/night", "tester"); });
    operation([&] { restore_backup(data() / "backups/night", root_ / "restored", clock_, "tester"); });
    operation([&] { registry_.reset(); });
  }
  static fs::path data_of(const fs::path& root) { return root / "data"; }
  static KeyedRequest asked(const std::string& key) {
    return {.caller = "tester", .route = "POST /", .key = key, .body = Digest::of("{}")};
  }
  static inline int answered_ = 0;  // the operation with the key "k"

 private:
  fs::path data() const { return data_of(root_); }

  void operation(const std::function<void()>& run) {
    try {
      run();
    } catch (const Error& error) {
      if (!failed_ || error.code() != Code::unavailable) throw;
      failed_();
      run();
    }
    ++operations_;
    finished_(registry_.get());
  }
  void old_schema() {
    make_folder(data());
    Database database(data() / "registry.db");
    migrate(database, embedded_migrations().first(1), clock_, data() / "backups");
  }
  void add(const std::string& name, bool with_draft = false) {
    const std::vector<std::string> names = registry_->names();
    AddRequest request = request_for(name);
    if (with_draft) request.draft = Json{{"method", "quick"}};
    if (std::find(names.begin(), names.end(), name) == names.end()) registry_->add_concept(request);
    end_jobs();
  }
  void learn(const std::string& name, const std::string& delta, Verdict verdict = Verdict::accepted) {
    end_jobs();
    registry_->jobs().enqueue({.name = name, .requested_by = "tester"});
    learn_once(*registry_, name, delta, verdict);
  }
  void end_jobs() {
    for (const Job& job : registry_->jobs().list())
      if (job.state == JobState::queued || job.state == JobState::running) registry_->jobs().cancel(job.id, "tester");
  }
  void checkpoint() {
    end_jobs();
    registry_->jobs().enqueue({.name = "a", .requested_by = "tester"});
    const Job job = *registry_->jobs().lease_next("worker", 60);
    registry_->jobs().keep_checkpoint(job.id, job.fence, std::string(30'000, 'c'));
    end_jobs();
  }
  void make_token() {
    if (registry_->tokens().list().empty())
      registry_->tokens().create({.name = "alice", .role = Role::creator, .actor = "tester"});
  }
  // All of them or none, so a second try finds none or all.
  void import(const std::vector<std::string>& names, const std::string& delta) {
    ImportRequest request{.pack = Digest::of(delta), .signer = std::string(64, 'a'), .actor = "tester"};
    for (const std::string& name : names) {
      request.versions.push_back({.version = result_for(name, delta + name), .class_word = "kettle"});
      request.versions.back().version.preview_png.clear();
    }
    registry_->import_versions(request);
  }
  void answer(const std::string& key) {
    const KeyedRequest request = asked(key);
    answered_ = operations_ + 1;
    try {
      if (!registry_->answers().begin(request)) registry_->answers().finish(request, {.status = 200, .body = "done"});
    } catch (const Error& error) {
      if (error.code() != Code::conflict || !failed_) throw;  // begun before, and how it ended is not known
    }
  }
  void begin_night() {
    if (registry_->nights().list(1).empty())
      registry_->nights().begin({.date = "2026-11-23",
                                 .cause = NightCause::window,
                                 .actor = "tester",
                                 .until = clock_.now() + 5h,
                                 .steps = {"learn", "publish"}});
  }
  void learn_at_night(const std::string& delta, Verdict verdict = Verdict::accepted) {
    end_jobs();
    registry_->jobs().enqueue({.name = "a", .requested_by = "tester"});
    const Job job = *registry_->jobs().lease_next("worker", 60);
    CommitRequest request{.job = job.id,
                          .fence = job.fence,
                          .version = result_for("a", delta, verdict),
                          .expected_head = registry_->head()->id,
                          .actor = "worker",
                          .reason = "learnt a",
                          .night = 1};
    request.version.parent = registry_->head()->entries.find("a")->second.version;
    registry_->commit_learned(request);
  }
  Consolidated consolidated() {
    return {.delta = registry_->keep_consolidated("delta of all"), .manifest = manifest_of(registry_->after_night(1))};
  }
  void measure(const std::string& name) {
    if (!registry_->nights().measures(1, 1).empty()) return;
    const StateEntry& entry = registry_->head()->entries.find(name)->second;
    registry_->nights().keep_measure({.night = 1,
                                      .name = name,
                                      .version = entry.version,
                                      .delta = entry.delta,
                                      .pictures = Digest::of("pictures"),
                                      .count = 8,
                                      .conditions = "here",
                                      .fidelity = .5});
  }
  void end_night() {
    if (registry_->nights().running()) registry_->nights().end(1, NightState::done, "", "tester");
  }
  void collect() {
    try {
      registry_->gc({.keep_states = 1, .older_than = 0ms}, "tester");
    } catch (const Error& error) {
      if (error.code() != Code::corrupt || !failed_) throw;  // it erases nothing once the storage has failed
    }
  }

  const fs::path root_;
  const std::function<void()> failed_;
  const std::function<void(Registry*)> finished_;
  const FakeClock clock_;
  std::unique_ptr<Registry> registry_;
  int operations_ = 0;  // that are over
};

struct End {
  int finished = 0;  // operations that were reported
  int status = 0;    // of the child
  int steps = 0;     // that it took, if it lived to the end
};

bool is_power(Fate fate) { return fate == Fate::power_loss || fate == Fate::torn_power; }
bool is_death(Fate fate) { return fate == Fate::death || fate == Fate::half_death || is_power(fate); }

// A life in a child that meets `fate` at its k-th step; disk_full lasts until somebody has noticed. With error_before,
// so many steps before that one meets EIO.
End live_until(const fs::path& root, int k, Fate fate, int error_before = 0) {
  int pipe_ends[2];
  if (::pipe(pipe_ends) != 0) throw std::runtime_error("pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    const auto say = [&](const std::string& text) {
      if (::write(pipe_ends[1], text.data(), text.size()) < 0) ::_exit(1);
    };
    spdlog::set_level(spdlog::level::off);
    int step = 0;
    bool noticed = false;
    const auto decide = [&](std::string_view) {
      ++step;
      if (fate == Fate::disk_full) return step >= k && !noticed ? fate : Fate::happens;
      if (error_before > 0 && step == k - error_before) return Fate::io_error;
      return step == k ? fate : Fate::happens;
    };
    install_fates(decide, is_power(fate) ? root : fs::path());
    std::function<void()> failed;
    if (!is_death(fate) || error_before > 0) failed = [&] { noticed = true; };
    try {
      Life(root, failed, [&](Registry*) { say("."); }).live();
    } catch (const std::exception& error) {
      say(std::string("!") + error.what());
      ::_exit(kFailed);
    }
    say("#" + std::to_string(step));
    ::_exit(0);
  }
  ::close(pipe_ends[1]);
  std::string said;
  char piece[256];
  for (ssize_t count; (count = ::read(pipe_ends[0], piece, sizeof piece)) > 0;)
    said.append(piece, static_cast<std::size_t>(count));
  ::close(pipe_ends[0]);
  End end;
  ::waitpid(child, &end.status, 0);
  end.finished = static_cast<int>(said.substr(0, said.find_first_of("#!")).size());
  if (const auto at = said.find('#'); at != std::string::npos) end.steps = std::stoi(said.substr(at + 1));
  if (const auto at = said.find('!'); at != std::string::npos) ADD_FAILURE() << said.substr(at + 1);
  return end;
}

class Crash : public testing::Test {
 protected:
  static void SetUpTestSuite() { spdlog::set_level(spdlog::level::off); }
  static void TearDownTestSuite() { spdlog::set_level(spdlog::level::warn); }

  // One life without a fate, and how many steps it takes.
  Crash() {
    if (!after_.empty()) return;
    const TempFolder folder(fast_disk()), other(fast_disk());
    Life(folder.path(), {}, [&](Registry* now) {
      after_.push_back(now ? seen(*now, true) : "");
      ledgers_.push_back(now ? ledger_of(*now) : ledgers_.empty() ? Ledger() : ledgers_.back());
    }).live();
    const FakeClock clock;
    final_ = seen(*Registry::open(Life::data_of(folder.path()), clock), false);
    steps_ = live_until(other.path(), 0, Fate::happens).steps;
  }

  // All that must hold whatever happened; then it goes on working.
  void check(const fs::path& root, bool erasures, const std::vector<std::string>& one_of,
             std::optional<std::pair<std::size_t, std::size_t>> between = {}) {
    const FakeClock clock;
    const auto registry = Registry::open(Life::data_of(root), clock);
    ASSERT_THAT(registry->verify(), testing::IsEmpty());  // I1, I2, I4 to I7
    const std::string now = seen(*registry, erasures);
    EXPECT_THAT(one_of, testing::Contains(now));  // I9
    if (between) {
      expect_between(ledgers_[between->first], ledger_of(*registry), ledgers_[between->second]);
      if (static_cast<int>(between->first) + 1 >= Life::answered_) {
        EXPECT_TRUE(registry->answers().begin(Life::asked("k"))) << "an answer that was given is given again";
      }
    }
    for (const auto& [name, entry] : registry->head()->entries) {
      EXPECT_NO_THROW(registry->delta(entry.delta));
      EXPECT_EQ(entry.base_fingerprint, "base-1");  // I3
    }
    if (const fs::path photos = Life::data_of(root) / "photos"; fs::exists(photos)) {
      for (const auto& entry : fs::recursive_directory_iterator(photos))
        EXPECT_NE(entry.path().extension(), kTemporarySuffix) << "swept at start";
    }
    const fs::path backup = Life::data_of(root) / "backups/night";
    if (fs::exists(backup)) {
      EXPECT_NO_THROW(restore_backup(backup, root / "from-backup", clock, "tester")) << "what has a name is whole";
    }
    if (fs::exists(root / "restored")) {
      EXPECT_THAT(Registry::open(root / "restored", clock)->verify(), testing::IsEmpty());
    }

    registry->jobs().requeue_expired(true);
    if (registry->jobs().paused()) registry->jobs().resume("tester");
    while (const auto job = registry->jobs().lease_next("w", 60)) registry->jobs().complete(job->id, job->fence);
    const std::int64_t head = registry->head()->id;
    registry->add_concept(request_for("after"));
    const Committed committed = learn_once(*registry, "after", "delta after");
    EXPECT_EQ(committed.version.number, 1);
    EXPECT_EQ(committed.state->id, head + 1) << "I8: a state's number means one thing";
    registry->gc({.keep_states = 1, .older_than = 0ms}, "tester");
    EXPECT_THAT(registry->verify(), testing::IsEmpty());
  }

  void meet(Fate fate, const std::string& name, int error_before = 0) {
    ASSERT_GT(steps_, 400) << "so few steps cannot have reached inside SQLite";
    const int stride = stride_over(steps_);
    int points = 0;
    for (int k = 1 + static_cast<int>(fate) * stride / 8; k <= steps_; k += stride, ++points) {
      const TempFolder folder(fast_disk());
      const End end = live_until(folder.path(), k, fate, error_before);
      SCOPED_TRACE(name + " at step " + std::to_string(k) + " of " + std::to_string(steps_) + ", after operation " +
                   std::to_string(end.finished));
      ASSERT_TRUE(WIFEXITED(end.status));
      if (is_death(fate) && !(error_before > 0 && WEXITSTATUS(end.status) == 0)) {  // it may be over before the k-th
        EXPECT_EQ(WEXITSTATUS(end.status), 42);
        const auto last = static_cast<std::size_t>(end.finished);
        // Before there is a registry nothing can be seen but an empty one.
        std::vector<std::string> allowed;
        for (const std::size_t i : {last, last + 1})
          if (i >= 1 && i <= after_.size() && !after_[i - 1].empty()) allowed.push_back(after_[i - 1]);
        if (last < 2) allowed = {after_[1]};
        if (error_before > 0) std::transform(allowed.begin(), allowed.end(), allowed.begin(), without_erasures);
        std::optional<std::pair<std::size_t, std::size_t>> between;
        if (error_before == 0 && last >= 2) between = {last - 1, std::min(last, ledgers_.size() - 1)};
        check(folder.path(), error_before == 0, allowed, between);
      } else {
        EXPECT_EQ(WEXITSTATUS(end.status), 0) << "it goes on without a restart";
        EXPECT_EQ(end.finished, static_cast<int>(after_.size()));
        check(folder.path(), false, {final_});
      }
      if (HasFailure()) return;
    }
    RecordProperty("points", points);
    std::printf("%s: %d of %d steps, none lost anything\n", name.c_str(), points, steps_);
  }

  static inline std::vector<std::string> after_;  // what can be seen after each operation
  static inline std::vector<Ledger> ledgers_;     // likewise
  static inline std::string final_;               // and at the end, erasures aside
  static inline int steps_ = 0;
};

TEST_F(Crash, DeathBeforeAnyStepLosesNothingThatWasReported) { meet(Fate::death, "death"); }
TEST_F(Crash, DeathInTheMiddleOfAWriteLosesNothingThatWasReported) { meet(Fate::half_death, "half a write, death"); }
TEST_F(Crash, AnInputOutputErrorFailsOneOperationAndTheNextTryWorks) { meet(Fate::io_error, "EIO"); }
TEST_F(Crash, AFullDiskFailsOneOperationAndTheNextTryWorks) { meet(Fate::disk_full, "ENOSPC"); }
TEST_F(Crash, AShortWriteFailsOneOperationAndTheNextTryWorks) { meet(Fate::short_write, "short write"); }

TEST_F(Crash, PowerLossTakesNothingThatWasReported) { meet(Fate::power_loss, "power loss"); }
TEST_F(Crash, PowerLossThatLeavesAPartOfWhatWasNotSyncedTakesNothingThatWasReported) {
  meet(Fate::torn_power, "power loss, a part kept");
}
// What a failed sync has left unsynced is synced before the next try counts.
TEST_F(Crash, PowerLossAfterAnInputOutputErrorTakesNothingThatWasReported) {
  meet(Fate::power_loss, "EIO, power loss soon after", 9);
  meet(Fate::torn_power, "EIO, power loss later, a part kept", 40);
}

}  // namespace
}  // namespace conceptd::registry::test
