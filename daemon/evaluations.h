// Evaluations, one at a time, in a worker: how good a version is, for whoever asks. They change nothing, so they are
// rows of no table; the last few are kept in memory, and a restart forgets them.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "daemon/api/evaluations.h"
#include "daemon/model.h"
#include "daemon/worker_task.h"
#include "registry/registry.h"

namespace conceptd::daemon {

struct EvaluationSettings {
  std::vector<std::string> worker_command{};
  int threads = 0;
  std::int64_t memory_bytes_max = 0;
  TaskSettings task{};  // must_give_way and stall_s
};

class Evaluations {
 public:
  static constexpr std::size_t kWaitingMax = 16, kKept = 64, kSheetBytesKept = 64u << 20;

  Evaluations(registry::Registry& registry, const Model& model, EvaluationSettings settings)
      : registry_(registry), model_(model), settings_(std::move(settings)) {}
  ~Evaluations() { stop(); }
  Evaluations(const Evaluations&) = delete;
  Evaluations& operator=(const Evaluations&) = delete;

  void start();
  void stop();  // what waits or runs is forgotten

  // wanted: name, version, class_word, seeds, words and actor. Error{busy}: too many wait.
  api::EvaluationInfo ask(api::EvaluationInfo wanted, std::vector<std::string> prompts);
  api::EvaluationInfo get(const std::string& id) const;  // Error{not_found}, as of the others
  std::string sheet(const std::string& id) const;     // a PNG; Error{conflict} where there is none (yet, or any more)
  api::EvaluationInfo cancel(const std::string& id);  // the same answer where it is over

 private:
  struct Item {
    api::EvaluationInfo info{};
    std::vector<std::string> prompts{};
    std::string sheet{};
    bool cancelled = false;
  };
  void run();
  std::shared_ptr<Item> next();  // null: the daemon stops
  void evaluate(Item& item);
  void keep_sheet(Item& item, std::string png);  // in the oldest ones' place, where there are too many bytes
  EvaluateOrder order_for(const Item& item) const;
  Item& find(const std::string& id) const;

  registry::Registry& registry_;
  const Model& model_;
  const EvaluationSettings settings_;

  // Guarded by mutex_, what the items hold too.
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::deque<std::shared_ptr<Item>> items_;  // oldest first

  std::thread thread_;
};

}  // namespace conceptd::daemon
