// The durable queue of long work. A job is leased, not taken: whoever leases it must say it is alive before the lease
// ends, or the job goes back to the queue. Every lease raises the job's fence, and every write by a worker names its
// fence, so one that was paused past its lease and wakes up can change nothing. Nothing here runs a job.
//
//   queued -> running -> done | failed            a failure that may pass goes back to queued until attempts_max
//   queued | running -> cancelled                 a running worker learns of it from its next heartbeat
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/error.h"
#include "registry/records.h"

namespace conceptd::registry {

class Database;
class Transaction;

struct NewJob {
  JobKind kind = JobKind::learn;
  std::string name{};  // the concept; must exist for a learn job
  Json settings = Json::object();
  std::string requested_by{};
  bool urgent = false;
  bool draft = false;  // of a learn job: the concept's other jobs wait for it
  int attempts_max = 3;
  std::optional<TimePoint> deadline{};  // not begun after this, a draft that it waits for aside
};

// Which jobs somebody leases.
struct LeaseOf {
  bool urgent_only = false;
  std::optional<bool> drafts{};  // empty: drafts and others
};

// Nothing is leased while it lasts.
struct Pause {
  TimePoint since{};
  std::optional<TimePoint> until{};  // empty: until somebody resumes
  std::string actor{};
  std::string reason{};
};

struct JobFilter {
  std::optional<JobState> state{};
  std::optional<JobKind> kind{};
  std::optional<std::string> name{};
  int limit = 100;  // newest first
};

class JobQueue {
 public:
  // Both are lent by Registry. Thread-safe: each call is one transaction, and a transaction holds the database's lock.
  JobQueue(Database& database, const Clock& clock, int queued_max) noexcept
      : database_(database), clock_(clock), queued_max_(queued_max) {}

  // Error{not_found} with near misses for a concept that is not there, Error{busy} when the queue is full.
  Job enqueue(const NewJob& request);

  // The next job (urgent ones first, then the oldest), now running under a new fence; empty if there is none. It never
  // gives two running learn jobs of one concept, nor another one while a draft of it waits. Expired leases of such
  // jobs are taken back first: whoever asks holds none of them.
  std::optional<Job> lease_next(const std::string& worker, int lease_s, const LeaseOf& which = {});

  // For the holder of the lease. A fence that is no longer the job's: Error{conflict}; a job that somebody cancelled:
  // Error{cancelled}. Then the worker should stop; nothing it did will count.
  void heartbeat(std::int64_t id, std::int64_t fence, const Progress& progress, int lease_s);
  // Done without a version (Registry::commit_learned ends a learn job together with its version).
  void complete(std::int64_t id, std::int64_t fence);
  // retry: back to the queue while attempts remain, else failed for good. Returns the state it is in now.
  JobState fail(std::int64_t id, std::int64_t fence, Code code, const std::string& message, bool retry);
  // Keeps what the job's next attempt goes on from, in place of the one before. Attempts count from here: they bound
  // how often a job may fail at one place, not how often the power may. Error{exhausted} beyond kCheckpointBytesMax.
  static constexpr std::size_t kCheckpointBytesMax = 64u << 20;
  void keep_checkpoint(std::int64_t id, std::int64_t fence, const std::string& bytes);
  std::string checkpoint(std::int64_t id) const;  // empty: none; always so when the job is over
  // Back to the queue as if never leased: the window closed or the daemon stops; no attempt is counted.
  void release(std::int64_t id, std::int64_t fence);

  // Jobs whose lease has ended: back to queued, or failed when their attempts are used up. Returns how many. At start
  // the daemon passes `all_running`, since no worker can have outlived it.
  int requeue_expired(bool all_running = false);

  // Queued or running: cancelled at once, and with a concept's own job a draft of it. Cancelled already: unchanged.
  // Done or failed: Error{conflict}.
  Job cancel(std::int64_t id, const std::string& actor, const std::string& reason = {});

  // No lease until then (empty: until resume()), the audit says why. Another pause replaces the one before.
  void pause(std::optional<TimePoint> until, const std::string& actor, const std::string& reason);
  bool resume(const std::string& actor);  // false: nothing was paused
  std::optional<Pause> paused() const;    // empty when its time is over, too

  Job get(std::int64_t id) const;  // Error{not_found}
  std::vector<Job> list(const JobFilter& filter = {}) const;

 private:
  Database& database_;
  const Clock& clock_;
  const int queued_max_;
};

}  // namespace conceptd::registry
