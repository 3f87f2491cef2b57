#include "daemon/evaluations.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <random>

#include "core/log.h"
#include "daemon/api/wire.h"
#include "daemon/threads.h"

namespace conceptd::daemon {
namespace {

// No number that counts on: after a restart an old id must not be somebody else's.
std::string new_id() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", device(), device());
}

}  // namespace

void Evaluations::start() {
  thread_ = start_thread("evaluations", [this] { run(); });
}

void Evaluations::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

api::EvaluationInfo Evaluations::ask(api::EvaluationInfo wanted, std::vector<std::string> prompts) {
  const std::lock_guard lock(mutex_);
  const auto waiting = std::ranges::count_if(items_, [](const auto& item) { return !item->info.is_over(); });
  if (static_cast<std::size_t>(waiting) >= kWaitingMax)
    throw Error(Code::busy, std::to_string(waiting) + " evaluations wait already; ask again when one is done");
  if (items_.size() >= kKept)
    items_.erase(std::ranges::find_if(items_, [](const auto& item) { return item->info.is_over(); }));
  wanted.id = new_id();
  wanted.state = "waiting";
  items_.push_back(std::make_shared<Item>(Item{.info = std::move(wanted), .prompts = std::move(prompts)}));
  changed_.notify_all();
  return items_.back()->info;
}

Evaluations::Item& Evaluations::find(const std::string& id) const {
  const auto found = std::ranges::find_if(items_, [&](const auto& item) { return item->info.id == id; });
  if (found == items_.end())
    throw Error(Code::not_found, "there is no such evaluation; the last few are kept, and none over a restart",
                "evaluation");
  return **found;
}

api::EvaluationInfo Evaluations::get(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  return find(id).info;
}

std::string Evaluations::sheet(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const Item& item = find(id);
  if (item.sheet.empty())
    throw Error(Code::conflict,
                item.info.state == "done"
                    ? "its pictures have gone for newer ones; evaluate it again"
                    : "the evaluation is " + item.info.state + "; there are pictures when it is done",
                "evaluation");
  return item.sheet;
}

api::EvaluationInfo Evaluations::cancel(const std::string& id) {
  const std::lock_guard lock(mutex_);
  Item& item = find(id);
  item.cancelled = true;
  if (item.info.state == "waiting") item.info.state = "cancelled";
  return item.info;
}

std::shared_ptr<Evaluations::Item> Evaluations::next() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (stopping_) return nullptr;
    const auto found = std::ranges::find_if(items_, [](const auto& item) { return item->info.state == "waiting"; });
    if (found != items_.end()) {
      (*found)->info.state = "running";
      return *found;
    }
    changed_.wait(lock);
  }
}

void Evaluations::run() {
  while (const auto item = next()) {
    std::string state = "done", error;
    try {
      evaluate(*item);
    } catch (const Error& failed) {
      state = failed.code() == Code::cancelled ? "cancelled" : "failed";
      error = failed.what();
    } catch (const std::exception& failed) {
      state = "failed", error = failed.what();
    }
    const std::lock_guard lock(mutex_);
    item->info.state = state;
    item->info.error = state == "failed" ? error : std::string();
    if (state == "failed") spdlog::warn("evaluating {}@{}: {}", item->info.name, item->info.version, error);
  }
}

EvaluateOrder Evaluations::order_for(const Item& item) const {
  const auto version = registry_.version(registry::ConceptName::parse(item.info.name), item.info.version);
  EvaluateOrder order{.name = item.info.name,
                      .class_word = item.info.class_word,
                      .delta = registry_.delta(version.delta),
                      .words = item.info.words,
                      .prompts = item.prompts,
                      .seeds = item.info.seeds,
                      .base_folder = model_.facts().folder,
                      .base_fingerprint = model_.facts().fingerprint,
                      .dtype = model_.facts().dtype,
                      .threads = settings_.threads,
                      .memory_bytes_max = settings_.memory_bytes_max};
  for (const Digest& photo : version.photos) order.photos.push_back(registry_.photo(photo));
  return order;
}

void Evaluations::keep_sheet(Item& item, std::string png) {
  item.sheet = std::move(png);
  std::size_t bytes = 0;
  for (auto other = items_.rbegin(); other != items_.rend(); ++other) {
    bytes += (*other)->sheet.size();
    if (bytes > kSheetBytesKept && other->get() != &item) (*other)->sheet.clear();
  }
}

void Evaluations::evaluate(Item& item) {
  TaskSettings task = settings_.task;
  task.stopped = [&] {
    const std::lock_guard lock(mutex_);
    return stopping_ || item.cancelled;
  };
  task.progress = [&](const WorkerProgress& at) {
    const std::lock_guard lock(mutex_);
    item.info.done = at.steps > 0 ? static_cast<double>(at.step) / static_cast<double>(at.steps) : 0;
    item.info.eta_s = at.eta_s;
  };
  WorkerProcess worker(settings_.worker_command);
  const auto said = ask_worker(worker, order_for(item), task);
  const auto* measured = std::get_if<WorkerEvaluation>(&said);
  if (!measured) throw Error(Code::corrupt, "the worker answered something else than measures");
  auto measures =
      api::decode_answer<api::EvaluationMeasures>(parse_json(measured->measures, "what the worker measured"));
  const std::lock_guard lock(mutex_);
  item.info.measures = std::move(measures);
  item.info.done = 1, item.info.eta_s = 0;
  keep_sheet(item, measured->sheet_png);
}

}  // namespace conceptd::daemon
