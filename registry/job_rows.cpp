// Jobs, read and moved on.
#include <limits>

#include "core/error.h"
#include "registry/rows.h"

namespace conceptd::registry {
namespace {

constexpr std::string_view kSelect =
    "SELECT j.id, j.kind, coalesce(c.name, ''), j.state, j.settings, j.requested_by, j.urgent, j.attempts,"
    "  j.attempts_max, j.fence, j.worker, j.step, j.steps, j.loss, j.eta_s, j.message, j.error_code, j.error_message,"
    "  j.result_version, j.created_at, j.started_at, j.finished_at, j.lease_until, j.deadline,"
    "  CASE WHEN j.state <> 'queued' THEN 0 ELSE (SELECT count(*) FROM job q WHERE q.state = 'queued'"
    "    AND (q.urgent > j.urgent OR (q.urgent = j.urgent AND q.id <= j.id))) END, j.draft"
    " FROM job j LEFT JOIN concept c ON c.id = j.concept ";

Job read_row(const Statement& row) {
  return {.id = row.integer(0),
          .kind = job_kind_from_string(row.text(1)),
          .name = row.text(2),
          .state = job_state_from_string(row.text(3)),
          .settings = row.json(4),
          .requested_by = row.text(5),
          .urgent = row.integer(6) != 0,
          .draft = row.integer(25) != 0,
          .queue_position = row.number(24),
          .attempts = row.number(7),
          .attempts_max = row.number(8),
          .fence = row.integer(9),
          .worker = row.text(10),
          .progress = {.step = row.number(11),
                       .steps = row.number(12),
                       .loss = row.is_null(13) ? std::numeric_limits<double>::quiet_NaN() : row.real(13),
                       .eta_s = row.real(14),
                       .message = row.text(15)},
          .error_code = row.text(16),
          .error_message = row.text(17),
          .result_version = row.maybe(18, &Statement::number),
          .created_at = row.time(19),
          .started_at = row.maybe(20, &Statement::time),
          .finished_at = row.maybe(21, &Statement::time),
          .lease_until = row.maybe(22, &Statement::time),
          .deadline = row.maybe(23, &Statement::time)};
}

}  // namespace

void check_queue(Transaction& tx, int queued_max) {
  if (tx.value("SELECT count(*) FROM job WHERE state = 'queued' AND NOT draft") >= queued_max)
    throw Error(Code::busy, "the queue is full (" + std::to_string(queued_max) + " jobs wait); try again later");
}

std::int64_t insert_job(Transaction& tx, const NewJob& request, std::optional<std::int64_t> concept_id, int queued_max,
                        TimePoint now) {
  if (!request.settings.is_object()) throw Error(Code::invalid, "the settings of a job are a JSON object", "settings");
  if (request.attempts_max < 1) throw Error(Code::invalid, "a job needs at least one attempt", "attempts_max");
  if (!request.draft) check_queue(tx, queued_max);
  tx.run(
      "INSERT INTO job (kind, concept, state, settings, requested_by, urgent, attempts_max, created_at, deadline,"
      " draft) VALUES (?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?)",
      to_string(request.kind), concept_id, request.settings, request.requested_by, request.urgent, request.attempts_max,
      now, request.deadline, request.draft);
  const std::int64_t id = tx.last_id();
  append_audit(tx, now, request.requested_by, request.draft ? "draft" : std::string(to_string(request.kind)),
               request.name.empty() ? "job " + std::to_string(id) : request.name,
               {{"job", id}, {"settings", request.settings}, {"urgent", request.urgent}});
  return id;
}

Job read_job(Transaction& tx, std::int64_t id) {
  Statement row = tx.query(std::string(kSelect) + "WHERE j.id = ?", id);
  if (!row.step()) throw Error(Code::not_found, "there is no job " + std::to_string(id), "job");
  return read_row(row);
}

std::vector<Job> read_jobs(Transaction& tx, const JobFilter& filter) {
  std::optional<std::string> state, kind;
  if (filter.state) state = to_string(*filter.state);
  if (filter.kind) kind = to_string(*filter.kind);
  Statement row = tx.query(std::string(kSelect) +
                               "WHERE (?1 IS NULL OR j.state = ?1) AND (?2 IS NULL OR j.kind = ?2)"
                               " AND (?3 IS NULL OR c.name = ?3) ORDER BY j.id DESC LIMIT ?4",
                           state, kind, filter.name, filter.limit);
  std::vector<Job> jobs;
  while (row.step()) jobs.push_back(read_row(row));
  return jobs;
}

Job require_lease(Transaction& tx, std::int64_t id, std::int64_t fence) {
  Job job = read_job(tx, id);
  const std::string which = "job " + std::to_string(id);
  if (job.state == JobState::cancelled) throw Error(Code::cancelled, which + " was cancelled");
  if (job.state != JobState::running)
    throw Error(Code::conflict, which + " is " + std::string(to_string(job.state)) + ", not running");
  if (job.fence != fence)
    throw Error(Code::conflict, which + " was leased again since (fence " + std::to_string(job.fence) + ", not " +
                                    std::to_string(fence) + "); what this worker did does not count");
  return job;
}

void finish_job(Transaction& tx, std::int64_t id, JobState state, std::optional<int> result_version, TimePoint now) {
  tx.run("UPDATE job SET state = ?, result_version = ?, finished_at = ?, lease_until = NULL WHERE id = ?",
         to_string(state), result_version, now, id);
  drop_checkpoint(tx, id);
}

void drop_checkpoint(Transaction& tx, std::int64_t id) { tx.run("DELETE FROM job_checkpoint WHERE job = ?", id); }

std::vector<std::int64_t> cancel_jobs_of(Transaction& tx, std::int64_t concept_id, TimePoint now) {
  std::vector<std::int64_t> ids;
  Statement row =
      tx.query("SELECT id FROM job WHERE concept = ? AND state IN ('queued', 'running') ORDER BY id", concept_id);
  while (row.step()) ids.push_back(row.integer(0));
  for (const std::int64_t id : ids) finish_job(tx, id, JobState::cancelled, std::nullopt, now);
  return ids;
}

}  // namespace conceptd::registry
