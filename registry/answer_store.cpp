#include "registry/answer_store.h"

#include "core/error.h"
#include "registry/sqlite.h"

namespace conceptd::registry {
namespace {

using Kind = Transaction::Kind;
constexpr const char* kField = "Idempotency-Key";

// One meaning: none of the parts may hold a line break.
Digest id_of(const KeyedRequest& request) {
  return Digest::of(request.caller + "\n" + request.route + "\n" + request.key);
}

void make_room(Transaction& tx, const std::string& caller, TimePoint now) {
  tx.run("DELETE FROM answer WHERE created_at <= ?", now - AnswerStore::kKept);
  if (tx.value("SELECT count(*) FROM answer WHERE caller = ?", caller) >= AnswerStore::kRowsPerCallerMax)
    tx.run("DELETE FROM answer WHERE number = (SELECT min(number) FROM answer WHERE caller = ?)", caller);
  if (tx.value("SELECT count(*) FROM answer") >= AnswerStore::kRowsMax)
    tx.run("DELETE FROM answer WHERE number = (SELECT min(number) FROM answer)");
}

}  // namespace

std::optional<KeptAnswer> AnswerStore::begin(const KeyedRequest& request) {
  const Digest id = id_of(request);
  Transaction tx(database_, Kind::immediate, "remembering a request");
  const TimePoint now = clock_.now();
  Statement row =
      tx.query("SELECT body, status, location, answer FROM answer WHERE id = ? AND created_at > ?", id, now - kKept);
  if (row.step()) {
    if (row.digest(0) != request.body)
      throw Error(Code::invalid,
                  "this key was sent before with another request; one that is meant anew needs a key of its own",
                  kField);
    if (!row.is_null(1)) return KeptAnswer{.status = row.number(1), .location = row.text(2), .body = row.text(3)};
    const std::lock_guard lock(mutex_);
    if (running_.contains(id))
      throw Error(Code::busy, "the first request with this key is still being done; ask again in a moment", kField);
    throw Error(Code::conflict,
                "the first request with this key was begun, and how it ended is not known; look whether it was done "
                "(conceptctl list, jobs, audit), then ask with another key if it was not",
                kField);
  }
  make_room(tx, request.caller, now);
  tx.run("INSERT INTO answer (id, caller, body, created_at) VALUES (?, ?, ?, ?)", id, request.caller, request.body,
         now);
  const std::lock_guard lock(mutex_);
  tx.commit();
  running_.insert(id);
  return std::nullopt;
}

void AnswerStore::finish(const KeyedRequest& request, const KeptAnswer& answer) {
  if (answer.body.size() > kAnswerBytesMax) return forget(request);
  const Digest id = id_of(request);
  Transaction tx(database_, Kind::immediate, "keeping an answer");
  tx.run("UPDATE answer SET status = ?, location = ?, answer = ? WHERE id = ?", answer.status, answer.location,
         answer.body, id);
  const std::lock_guard lock(mutex_);
  running_.erase(id);
  tx.commit();
}

void AnswerStore::forget(const KeyedRequest& request) {
  const Digest id = id_of(request);
  Transaction tx(database_, Kind::immediate, "forgetting a request");
  tx.run("DELETE FROM answer WHERE id = ?", id);
  const std::lock_guard lock(mutex_);
  running_.erase(id);
  tx.commit();
}

void AnswerStore::lose(const KeyedRequest& request) {
  const std::lock_guard lock(mutex_);
  running_.erase(id_of(request));
}

}  // namespace conceptd::registry
