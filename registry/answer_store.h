// Answers to requests that changed something, kept a day under the key that their sender chose, so that a request sent
// again after its answer was lost is answered and not done twice. A row is written before the request is done: one
// whose answer never came to be written says that nobody knows, and is never done again by itself.
#pragma once
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "core/clock.h"
#include "core/digest.h"

namespace conceptd::registry {

class Database;

// Two requests are the same if caller, route and key are, and must then have the same body.
struct KeyedRequest {
  std::string caller{};  // "alice", "token:bob"
  std::string route{};   // "POST /api/v1/concepts"
  std::string key{};
  Digest body{};
};

struct KeptAnswer {
  int status = 0;
  std::string location{};  // the header of this name; empty: none
  std::string body{};
};

class AnswerStore {
 public:
  static constexpr int kRowsMax = 10'000;  // the oldest make room
  static constexpr int kRowsPerCallerMax = 1000;
  static constexpr std::size_t kAnswerBytesMax = 256 * 1024;  // a longer one is not kept
  static constexpr std::chrono::hours kKept{24};

  // Both are lent by Registry. Thread-safe.
  AnswerStore(Database& database, const Clock& clock) : database_(database), clock_(clock) {}

  // The answer that was given; empty: nobody asked before, and the caller does it now and then calls finish() or
  // forget() or lose(). Error{invalid} for another body under the key, Error{busy} while the first request is being
  // done, Error{conflict} if its answer was lost; the field of each is "Idempotency-Key".
  std::optional<KeptAnswer> begin(const KeyedRequest& request);
  void finish(const KeyedRequest& request, const KeptAnswer& answer);
  // It was refused: nothing was done, and the key is free again.
  void forget(const KeyedRequest& request);
  // It failed, and nobody knows how far it came: begin() says so from now on.
  void lose(const KeyedRequest& request);

 private:
  Database& database_;
  const Clock& clock_;
  std::mutex mutex_;
  std::set<Digest> running_;  // guarded by mutex_: begun by this process and not ended
};

}  // namespace conceptd::registry
