#include "registry/job_queue.h"

#include <cmath>

#include "registry/rows.h"
#include "registry/sqlite.h"

namespace conceptd::registry {
namespace {

using Kind = Transaction::Kind;

std::string named(std::int64_t id) { return "job " + std::to_string(id); }

TimePoint lease_end(TimePoint now, int lease_s) {
  if (lease_s < 1) throw Error(Code::invalid, "a lease lasts at least a second", "lease_s");
  return now + std::chrono::seconds(lease_s);
}

// A failure: for good, or back to the queue while attempts remain.
JobState give_back(Transaction& tx, const Job& job, Code code, const std::string& message, bool retry, TimePoint now) {
  const bool again = retry && job.attempts < job.attempts_max;
  const JobState state = again ? JobState::queued : JobState::failed;
  std::optional<TimePoint> finished;
  if (!again) finished = now;
  tx.run(
      "UPDATE job SET state = ?, lease_until = NULL, finished_at = ?, error_code = ?, error_message = ? WHERE id = ?",
      to_string(state), finished, conceptd::to_string(code), message, job.id);
  if (!again) drop_checkpoint(tx, job.id);
  if (!again)
    append_audit(
        tx, now, job.worker, "fail", job.name.empty() ? named(job.id) : job.name,
        {{"job", job.id}, {"attempts", job.attempts}, {"code", conceptd::to_string(code)}, {"message", message}});
  return state;
}

// drafts: those alone, or all others; empty: both.
int take_back(Transaction& tx, bool all_running, TimePoint now, const std::optional<bool>& drafts = {}) {
  std::vector<std::int64_t> ids;
  Statement row = tx.query(
      "SELECT id FROM job WHERE state = 'running' AND (?1 OR lease_until <= ?2) AND (?3 IS NULL OR draft = ?3)"
      " ORDER BY id",
      all_running, now, drafts);
  while (row.step()) ids.push_back(row.integer(0));
  for (const std::int64_t id : ids) {
    const Job job = read_job(tx, id);
    give_back(tx, job, Code::unavailable, "the worker (" + job.worker + ") stopped without a word", true, now);
  }
  return static_cast<int>(ids.size());
}

void fail_the_overdue(Transaction& tx, TimePoint now) {
  std::vector<std::int64_t> ids;
  Statement row = tx.query(
      "SELECT id FROM job j WHERE state = 'queued' AND deadline < ? AND started_at IS NULL AND (draft OR NOT EXISTS"
      " (SELECT 1 FROM job d WHERE d.concept = j.concept AND d.draft AND d.state IN ('queued', 'running'))) ORDER BY "
      "id",
      now);
  while (row.step()) ids.push_back(row.integer(0));
  for (const std::int64_t id : ids)
    give_back(tx, read_job(tx, id), Code::cancelled, "its deadline passed before it could start", false, now);
}

std::optional<Pause> read_pause(Transaction& tx, TimePoint now) {
  Statement row =
      tx.query("SELECT since, until, actor, reason FROM learning_pause WHERE until IS NULL OR until > ?", now);
  if (!row.step()) return std::nullopt;
  return Pause{
      .since = row.time(0), .until = row.maybe(1, &Statement::time), .actor = row.text(2), .reason = row.text(3)};
}

}  // namespace

Job JobQueue::enqueue(const NewJob& request) {
  Transaction tx(database_, Kind::immediate, "queueing a job");
  std::optional<std::int64_t> concept_id;
  if (!request.name.empty()) {
    const ConceptRow owner = require_concept(tx, request.name);
    concept_id = owner.id;
    if (request.kind == JobKind::learn && owner.record.photos.empty())
      throw Error(Code::conflict,
                  request.name +
                      " was learnt elsewhere and its photos are not here, so it cannot be learnt again; "
                      "learn it where they are and import the result, or add it here under another name",
                  "name");
  }
  if (request.kind == JobKind::learn && !concept_id)
    throw Error(Code::invalid, "a learn job needs the name of a concept", "name");
  Job job = read_job(tx, insert_job(tx, request, concept_id, queued_max_, clock_.now()));
  tx.commit();
  return job;
}

std::optional<Job> JobQueue::lease_next(const std::string& worker, int lease_s, const LeaseOf& which) {
  Transaction tx(database_, Kind::immediate, "leasing a job");
  const TimePoint now = clock_.now();
  const TimePoint until = lease_end(now, lease_s);
  take_back(tx, false, now, which.drafts);
  fail_the_overdue(tx, now);
  const std::int64_t id =
      read_pause(tx, now)
          ? 0
          : tx.value(
                "SELECT id FROM job j WHERE state = 'queued' AND (urgent OR NOT ?1) AND (?2 IS NULL OR draft = ?2)"
                " AND NOT (kind = 'learn' AND EXISTS (SELECT 1 FROM job r WHERE r.kind = 'learn'"
                "   AND r.concept = j.concept AND (r.state = 'running'"
                "   OR (r.state = 'queued' AND r.draft AND NOT j.draft))))"
                " ORDER BY urgent DESC, id LIMIT 1",
                which.urgent_only, which.drafts);
  std::optional<Job> job;
  if (id != 0) {
    tx.run(
        "UPDATE job SET state = 'running', worker = ?, lease_until = ?, fence = fence + 1, attempts = attempts + 1,"
        " started_at = ?, step = 0, steps = 0, loss = 0, eta_s = -1, message = '' WHERE id = ?",
        worker, until, now, id);
    job = read_job(tx, id);
  }
  tx.commit();
  return job;
}

void JobQueue::heartbeat(std::int64_t id, std::int64_t fence, const Progress& progress, int lease_s) {
  Transaction tx(database_, Kind::immediate, "progress of " + named(id));
  require_lease(tx, id, fence);
  const double eta_s = std::isfinite(progress.eta_s) ? progress.eta_s : -1;
  tx.run("UPDATE job SET step = ?, steps = ?, loss = ?, eta_s = ?, message = ?, lease_until = ? WHERE id = ?",
         progress.step, progress.steps, progress.loss, eta_s, progress.message, lease_end(clock_.now(), lease_s), id);
  tx.commit();
}

void JobQueue::complete(std::int64_t id, std::int64_t fence) {
  Transaction tx(database_, Kind::immediate, "ending " + named(id));
  require_lease(tx, id, fence);
  finish_job(tx, id, JobState::done, std::nullopt, clock_.now());
  tx.commit();
}

JobState JobQueue::fail(std::int64_t id, std::int64_t fence, Code code, const std::string& message, bool retry) {
  Transaction tx(database_, Kind::immediate, "failing " + named(id));
  const Job job = require_lease(tx, id, fence);
  const JobState state = give_back(tx, job, code, message, retry, clock_.now());
  tx.commit();
  return state;
}

void JobQueue::release(std::int64_t id, std::int64_t fence) {
  Transaction tx(database_, Kind::immediate, "releasing " + named(id));
  require_lease(tx, id, fence);
  tx.run("UPDATE job SET state = 'queued', lease_until = NULL, attempts = attempts - 1 WHERE id = ?", id);
  tx.commit();
}

void JobQueue::keep_checkpoint(std::int64_t id, std::int64_t fence, const std::string& bytes) {
  if (bytes.size() > kCheckpointBytesMax)
    throw Error(Code::exhausted, "a checkpoint of " + named(id) + " has " + std::to_string(bytes.size()) + " bytes; " +
                                     std::to_string(kCheckpointBytesMax) + " are allowed");
  Transaction tx(database_, Kind::immediate, "keeping a checkpoint of " + named(id));
  require_lease(tx, id, fence);
  tx.run("INSERT OR REPLACE INTO job_checkpoint (job, bytes, created_at) VALUES (?, ?, ?)", id, Blob{bytes},
         clock_.now());
  tx.run("UPDATE job SET attempts = 1 WHERE id = ?", id);
  tx.commit();
}

std::string JobQueue::checkpoint(std::int64_t id) const {
  Transaction tx(database_, Kind::read, "reading a checkpoint of " + named(id));
  Statement row = tx.query("SELECT bytes FROM job_checkpoint WHERE job = ?", id);
  return row.step() ? row.blob(0) : std::string();
}

void JobQueue::pause(std::optional<TimePoint> until, const std::string& actor, const std::string& reason) {
  const TimePoint now = clock_.now();
  if (until && *until <= now) throw Error(Code::invalid, "a pause ends later than now", "until");
  Transaction tx(database_, Kind::immediate, "pausing the learner");
  tx.run("INSERT OR REPLACE INTO learning_pause (id, since, until, actor, reason) VALUES (1, ?, ?, ?, ?)", now, until,
         actor, reason);
  Json detail{{"reason", reason}};
  if (until) detail["until"] = to_iso8601(*until);
  append_audit(tx, now, actor, "pause", "learning", detail);
  tx.commit();
}

bool JobQueue::resume(const std::string& actor) {
  Transaction tx(database_, Kind::immediate, "resuming the learner");
  const TimePoint now = clock_.now();
  const bool was = read_pause(tx, now).has_value();
  tx.run("DELETE FROM learning_pause");
  if (was) append_audit(tx, now, actor, "resume", "learning", Json::object());
  tx.commit();
  return was;
}

std::optional<Pause> JobQueue::paused() const {
  Transaction tx(database_, Kind::read, "reading whether the learner is paused");
  return read_pause(tx, clock_.now());
}

int JobQueue::requeue_expired(bool all_running) {
  Transaction tx(database_, Kind::immediate, "taking back leases");
  const int count = take_back(tx, all_running, clock_.now());
  tx.commit();
  return count;
}

Job JobQueue::cancel(std::int64_t id, const std::string& actor, const std::string& reason) {
  Transaction tx(database_, Kind::immediate, "cancelling " + named(id));
  const Job job = read_job(tx, id);
  if (job.state == JobState::cancelled) return job;
  if (job.state == JobState::done || job.state == JobState::failed)
    throw Error(Code::conflict, named(id) + " is already " + std::string(to_string(job.state)));
  const TimePoint now = clock_.now();
  finish_job(tx, id, JobState::cancelled, std::nullopt, now);
  append_audit(tx, now, actor, "cancel", job.name.empty() ? named(id) : job.name, {{"job", id}, {"reason", reason}});
  if (!job.draft && !job.name.empty()) {  // it would be published all the same
    Statement draft = tx.query(
        "SELECT j.id FROM job j JOIN concept c ON c.id = j.concept"
        " WHERE c.name = ? AND j.draft AND j.state IN ('queued', 'running')",
        job.name);
    std::vector<std::int64_t> drafts;
    while (draft.step()) drafts.push_back(draft.integer(0));
    for (const std::int64_t each : drafts) {
      finish_job(tx, each, JobState::cancelled, std::nullopt, now);
      append_audit(tx, now, actor, "cancel", job.name, {{"job", each}, {"reason", reason}});
    }
  }
  Job cancelled = read_job(tx, id);
  tx.commit();
  return cancelled;
}

Job JobQueue::get(std::int64_t id) const {
  Transaction tx(database_, Kind::read, "reading " + named(id));
  return read_job(tx, id);
}

std::vector<Job> JobQueue::list(const JobFilter& filter) const {
  Transaction tx(database_, Kind::read, "listing jobs");
  return read_jobs(tx, filter);
}

}  // namespace conceptd::registry
