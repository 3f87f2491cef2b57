// Registry: what a night learnt becomes one state.
#include "registry/night_store.h"
#include "registry/registry.h"
#include "registry/rows.h"
#include "registry/sqlite.h"

namespace conceptd::registry {
namespace {

using Kind = Transaction::Kind;

// Why a version that waited is not to be published after all; empty: it is.
std::string obstacle(Transaction& tx, const State& head, const NightLearnt& item, int newest_waiting) {
  const std::optional<ConceptRow> owner = find_concept(tx, item.name);
  if (!owner || owner->record.removed_at) return "the concept was removed";
  if (owner->record.pin) return "pinned at version " + std::to_string(owner->record.pin->version);
  const std::optional<Version> version = find_version(tx, owner->id, item.version);
  if (version->erased_at) return "erased by gc";
  const auto live = head.entries.find(item.name);
  const std::optional<int> now = live == head.entries.end() ? std::nullopt : std::optional(live->second.version);
  if (now != version->parent)
    return "it was judged beside " + (version->parent ? "version " + std::to_string(*version->parent) : "none") +
           ", and " + (now ? "version " + std::to_string(*now) : "none") + " is published since";
  if (newest_waiting != item.version)
    return "version " + std::to_string(newest_waiting) + " was learnt later in this night";
  return {};
}

// Decides on all that waits: `next` becomes the head with it.
void decide(Transaction& tx, const State& head, std::vector<NightLearnt>& learnt, State& next) {
  std::map<std::string, int> newest;
  for (const NightLearnt& item : learnt)
    if (item.outcome == "waiting") newest[item.name] = item.version;  // by number
  for (NightLearnt& item : learnt) {
    if (item.outcome != "waiting") continue;
    item.reason = obstacle(tx, head, item, newest[item.name]);
    item.outcome = item.reason.empty() ? "published" : "left";
    if (item.outcome == "published")
      next.entries.insert_or_assign(item.name, read_entry(tx, find_concept(tx, item.name)->id, item.version));
  }
}

}  // namespace

Digest manifest_of(const State& state) {
  std::string text;
  for (const auto& [name, entry] : state.entries)
    text += name + "@" + std::to_string(entry.version) + " " + entry.delta.hex() + "\n";
  return Digest::of(text);
}

State Registry::after_night(std::int64_t id) const {
  Transaction tx(*database_, Kind::read, "looking at what night " + std::to_string(id) + " would publish");
  const std::shared_ptr<const State> before = head_in(tx);
  std::vector<NightLearnt> learnt = read_night_learnt(tx, id);
  State next{.entries = before->entries};
  decide(tx, *before, learnt, next);
  return next;
}

bool Registry::is_consolidated(const State& state) const {
  const std::shared_ptr<const State> newest = head();
  if (!newest->consolidated) return false;
  Transaction tx(*database_, Kind::read, "looking for what was consolidated");
  return read_state(tx, tx.value("SELECT min(id) FROM state WHERE consolidated = ?", *newest->consolidated))->entries ==
         state.entries;
}

Digest Registry::keep_consolidated(const std::string& bytes) {
  if (bytes.empty() || bytes.size() > limits_.delta_bytes_max)
    throw Error(Code::exhausted, "a consolidated delta of " + std::to_string(bytes.size()) + " bytes; from 1 to " +
                                     std::to_string(limits_.delta_bytes_max) + " are kept");
  Transaction tx(*database_, Kind::immediate, "keeping a consolidated delta");
  const Digest digest = store_delta(tx, bytes, clock_.now());
  tx.commit();
  return digest;
}

NightPublished Registry::publish_night(std::int64_t id, const std::optional<Consolidated>& consolidated,
                                       const std::string& actor) {
  Transaction tx(*database_, Kind::immediate, "publishing what night " + std::to_string(id) + " learnt");
  const TimePoint now = clock_.now();
  const Night night = require_running_night(tx, id);
  const std::string reason = "what night " + std::to_string(id) + " learnt";
  std::shared_ptr<const State> state = head_in(tx);
  NightPublished answer{.state = state, .learnt = read_night_learnt(tx, id)};
  if (night.published) {
    answer.state = read_state(tx, night.state_after.value_or(state->id));
    answer.moved = answer.state->reason == reason;
    return answer;
  }
  State next{.entries = state->entries, .consolidated = state->consolidated, .reason = reason, .actor = actor};
  decide(tx, *state, answer.learnt, next);
  if (consolidated && consolidated->manifest == manifest_of(next)) {
    if (tx.value("SELECT count(*) FROM delta WHERE digest = ? AND length(bytes) > 0", consolidated->delta) == 0)
      throw Error(Code::corrupt, "the consolidated delta " + consolidated->delta.hex() + " is not there any more");
    next.consolidated = consolidated->delta;
  }
  answer.moved = next.entries != state->entries || (next.consolidated && next.consolidated != state->consolidated);
  if (answer.moved) {
    const std::int64_t before = state->id;
    state = insert_state(tx, std::move(next), now);
    for (const NightLearnt& item : answer.learnt)
      if (item.outcome == "published")
        append_audit(
            tx, now, actor, "publish", item.name,
            {{"version", item.version}, {"from", before}, {"to", state->id}, {"reason", state->reason}, {"night", id}});
  }
  for (const NightLearnt& item : answer.learnt)
    tx.run(
        "UPDATE night_learnt SET outcome = ?, reason = ? WHERE night = ? AND version = ?"
        " AND concept = (SELECT id FROM concept WHERE name = ?)",
        item.outcome, item.reason, id, item.version, item.name);
  tx.run("UPDATE night SET published = 1, state_after = ? WHERE id = ?", state->id, id);
  answer.state = state;
  commit_head(tx, state);
  return answer;
}

}  // namespace conceptd::registry
