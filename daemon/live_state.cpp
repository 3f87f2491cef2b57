#include "daemon/live_state.h"

#include <set>

#include "core/log.h"

namespace conceptd::daemon {
namespace {

constexpr std::size_t kPinnedMax = 16;  // kept loaded beside the live ones

}  // namespace

DeltaHandle LiveStates::load(const Digest& digest, const std::string& what) {
  if (const auto found = loaded_.find(digest); found != loaded_.end()) return found->second;
  return loaded_[digest] = model_.load(registry_.delta(digest), what);
}

std::shared_ptr<const LiveState> LiveStates::now() {
  const auto is_head = [&](const auto& live) { return live && live->state->id == registry_.head()->id; };
  if (std::shared_ptr<const LiveState> live = live_.load(); is_head(live)) return live;
  const std::lock_guard lock(mutex_);
  std::shared_ptr<const LiveState> live = live_.load();
  if (!is_head(live)) live_.store(live = build(registry_.head()));
  return live;
}

std::shared_ptr<const LiveState> LiveStates::build(std::shared_ptr<const registry::State> head) {
  auto next = std::make_shared<LiveState>();
  next->state = std::move(head);
  std::set<Digest> used;
  for (const auto& [name, entry] : next->state->entries) {
    LiveConcept item{.version = entry.version, .digest = entry.delta, .method = entry.method};
    try {
      item.delta = load(entry.delta, name + " version " + std::to_string(entry.version));
      used.insert(entry.delta);
    } catch (const Error& error) {
      item.problem = error.what();
      spdlog::error("{} version {} cannot be used: {}", name, entry.version, error.what());
    }
    next->manifest.emplace(name, entry.delta);
    next->concepts.emplace(name, std::move(item));
  }
  if (const auto& digest = next->state->consolidated) {
    try {
      next->consolidated = load(*digest, "the consolidated delta");
      next->consolidated_digest = digest;
      used.insert(*digest);
    } catch (const Error& error) {
      spdlog::error("the consolidated delta of state {} cannot be used, its concepts are drawn from their own: {}",
                    next->state->id, error.what());
    }
  }
  std::erase_if(loaded_, [&](const auto& item) { return !used.contains(item.first); });
  return next;
}

LiveConcept LiveStates::pinned(const registry::ConceptName& name, int number) {
  const registry::Version version = registry_.version(name, number);
  if (version.erased_at)  // its bytes may still be loaded
    throw Error(Code::not_found, name.str() + " version " + std::to_string(number) + " was erased by gc");
  const std::lock_guard lock(mutex_);
  LiveConcept item{.version = number, .digest = version.delta, .method = version.method};
  item.delta = load(version.delta, name.str() + " version " + std::to_string(number));
  if (loaded_.size() > registry_.head()->entries.size() + kPinnedMax)
    std::erase_if(loaded_, [&](const auto& entry) { return entry.first != item.digest; });
  return item;
}

}  // namespace conceptd::daemon
