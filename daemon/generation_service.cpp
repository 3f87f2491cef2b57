#include "daemon/generation_service.h"

#include <algorithm>

#include "core/log.h"
#include "daemon/threads.h"

namespace conceptd::daemon {
namespace {

using Monotonic = std::chrono::steady_clock;

double seconds_since(Monotonic::time_point then) {
  return std::chrono::duration<double>(Monotonic::now() - then).count();
}

// A callback belongs to a request; whatever it throws must not end the service.
template <typename Call>
void guarded(Call&& call) {
  try {
    call();
  } catch (const std::exception& error) {
    spdlog::error("answering a request for pictures: {}", error.what());
  }
}

Error stopping_error() { return Error(Code::unavailable, "the daemon is stopping; ask again when it is back"); }

}  // namespace

GenerationService::GenerationService(Model& model, GenerationLimits limits)
    : model_(model), limits_(limits), thread_(start_thread("making pictures", [this] { run(); })) {}

void GenerationService::submit(GenerationTask task) {
  std::vector<std::shared_ptr<Entry>> left;
  std::optional<std::size_t> full;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) throw stopping_error();
    if (static_cast<int>(queue_.size()) >= limits_.queue_max) left = take_abandoned();
    if (static_cast<int>(queue_.size()) >= limits_.queue_max)
      full = queue_.size();
    else
      queue_.push_back(std::make_shared<Entry>(Entry{.task = std::move(task), .since = Monotonic::now()}));
  }
  dismiss(left);
  if (full)
    throw Error(Code::busy, "the queue is full: " + std::to_string(*full) +
                                " requests for pictures are waiting; try again in a moment");
  changed_.notify_one();
}

bool GenerationService::is_busy() const {
  const std::lock_guard lock(mutex_);
  return running_ > 0 || !queue_.empty();
}

GenerationLoad GenerationService::load() const {
  const std::lock_guard lock(mutex_);
  return {
      .running = running_, .waiting = static_cast<int>(queue_.size()), .limit = limits_.queue_max, .pictures = made_};
}

void GenerationService::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) stop_by_ = Monotonic::now() + limits_.grace;
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  std::deque<std::shared_ptr<Entry>> left;  // only now: a request of several batches waits here while one of them runs
  {
    const std::lock_guard lock(mutex_);
    left.swap(queue_);
  }
  for (const auto& entry : left) guarded([&] { entry->task.failed(stopping_error()); });
}

void GenerationService::run() {
  for (;;) {
    try {
      std::vector<std::pair<std::shared_ptr<Entry>, std::size_t>> batch;
      std::vector<std::shared_ptr<Entry>> left;
      {
        std::unique_lock lock(mutex_);
        running_ = 0;
        changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
        if (stopping_) return;
        left = take_abandoned();
        if (!queue_.empty()) batch = next_batch();
        running_ = static_cast<int>(batch.size());
      }
      dismiss(left);
      if (!batch.empty()) run_batch(batch);
    } catch (const std::exception& error) {  // no memory for a batch: who was in it loses the connection
      spdlog::error("making pictures: {}", error.what());
      std::shared_ptr<Entry> first;  // who might be why, or it would happen again for ever
      {
        const std::lock_guard lock(mutex_);
        if (queue_.empty()) continue;
        first = std::move(queue_.front());
        queue_.pop_front();
      }
      guarded([&, &task = first->task] {
        task.failed(Error(Code::unavailable, std::string("making pictures: ") + error.what() + "; ask again later"));
      });
    }
  }
}

std::vector<std::shared_ptr<GenerationService::Entry>> GenerationService::take_abandoned() {
  std::vector<std::shared_ptr<Entry>> left;
  std::erase_if(queue_, [&](const std::shared_ptr<Entry>& entry) {
    if (!entry->task.abandoned || !entry->task.abandoned()) return false;
    left.push_back(entry);
    return true;
  });
  return left;
}

void GenerationService::dismiss(const std::vector<std::shared_ptr<Entry>>& left) {
  for (const auto& entry : left) guarded([&] { entry->task.failed(nobody_waits()); });
}

bool GenerationService::is_wanted(const std::vector<std::pair<std::shared_ptr<Entry>, std::size_t>>& batch) const {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ && Monotonic::now() > stop_by_) return false;
  }
  return std::any_of(batch.begin(), batch.end(), [](const auto& item) {
    const auto& abandoned = item.first->task.abandoned;
    return !abandoned || !abandoned();
  });
}

std::vector<std::pair<std::shared_ptr<GenerationService::Entry>, std::size_t>> GenerationService::next_batch() {
  std::vector<std::pair<std::shared_ptr<Entry>, std::size_t>> batch;
  std::size_t room = static_cast<std::size_t>(limits_.batch_max);
  const Sampling sampling = queue_.front()->task.sampling;
  for (auto it = queue_.begin(); it != queue_.end() && room > 0;) {
    Entry& entry = **it;
    if (entry.task.sampling != sampling) {
      ++it;
      continue;
    }
    const std::size_t left = entry.task.orders.size() - entry.pictures.size();
    const std::size_t taken = std::min(left, room);
    room -= taken;
    batch.emplace_back(*it, taken);
    it = taken == left ? queue_.erase(it) : std::next(it);
  }
  return batch;
}

void GenerationService::run_batch(const std::vector<std::pair<std::shared_ptr<Entry>, std::size_t>>& batch) {
  std::vector<PictureOrder> orders;
  for (const auto& [entry, taken] : batch) {
    if (!entry->queued_s) entry->queued_s = seconds_since(entry->since);
    const auto from = entry->task.orders.begin() + static_cast<std::ptrdiff_t>(entry->pictures.size());
    orders.insert(orders.end(), from, from + static_cast<std::ptrdiff_t>(taken));
  }
  const auto began = Monotonic::now();
  std::optional<Error> failure;
  std::vector<picture::Picture> pictures;
  try {
    pictures = model_.generate(batch.front().first->task.sampling, orders, [&] { return is_wanted(batch); });
    if (pictures.size() != orders.size()) throw Error(Code::internal, "the model returned another number of pictures");
  } catch (const Error& error) {
    failure = error;
    const std::lock_guard lock(mutex_);
    if (error.code() == Code::cancelled && stopping_) failure = stopping_error();
  } catch (const std::exception& error) {
    failure = Error(Code::internal, std::string("making pictures: ") + error.what());
  }
  const double seconds = seconds_since(began);
  std::size_t next = 0;
  for (const auto& [entry, taken] : batch) {
    if (failure) {
      {
        const std::lock_guard lock(mutex_);  // the rest of it may still wait
        std::erase(queue_, entry);
      }
      guarded([&, &task = entry->task] { task.failed(*failure); });
      continue;
    }
    for (std::size_t i = 0; i < taken; ++i) entry->pictures.push_back(std::move(pictures[next++]));
    entry->seconds += seconds;
    if (entry->pictures.size() < entry->task.orders.size()) continue;
    {
      const std::lock_guard lock(mutex_);
      made_ += static_cast<std::int64_t>(entry->pictures.size());
    }
    guarded([&, &made = *entry] {
      made.task.done({.pictures = std::move(made.pictures), .seconds = made.seconds, .queued_s = *made.queued_s});
    });
  }
}

}  // namespace conceptd::daemon
