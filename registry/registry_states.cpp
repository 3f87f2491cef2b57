// Registry: states, publishing and rolling back. All three ways to a new state are one transaction that inserts it and
// moves the head.
#include "registry/registry.h"
#include "registry/rows.h"
#include "registry/sqlite.h"

namespace conceptd::registry {
namespace {

using Kind = Transaction::Kind;

std::string numbered(const std::string& name, int number) { return name + "@" + std::to_string(number); }

int require_version_before(Transaction& tx, const ConceptRow& owner) {
  const std::string& name = owner.record.name;
  if (!owner.record.live_version)
    throw Error(Code::conflict, name + " is not in the current state; say which version should be", "version");
  const std::optional<int> number = version_before(tx, owner);
  if (!number)
    throw Error(Code::not_found,
                "nothing of " + name + " was published before version " + std::to_string(*owner.record.live_version),
                "version");
  return *number;
}

// What a state that goes back leaves pinned: all of it, or of what has moved nothing.
void pin_all(Transaction& tx, const State& before, const State& after, Pinning pinning, TimePoint now) {
  const auto moved = [&](const auto& entries, const auto& item) {
    const auto found = entries.find(item.first);
    return found == entries.end() || found->second.version != item.second.version;
  };
  for (const auto& item : before.entries)
    if (moved(after.entries, item)) remove_pin(tx, find_concept(tx, item.first)->id);
  if (pinning == Pinning::leave_free) return;
  for (const auto& [name, entry] : after.entries)
    set_pin(tx, find_concept(tx, name)->id, entry.version, after.reason, after.actor, now);
}

}  // namespace

std::shared_ptr<const State> Registry::state(std::int64_t id) const {
  Transaction tx(*database_, Kind::read, "reading state " + std::to_string(id));
  return read_state(tx, id);
}

std::vector<State> Registry::states(int limit) const {
  Transaction tx(*database_, Kind::read, "listing states");
  std::vector<State> found;
  Statement row = tx.query("SELECT id, parent, reason, actor, created_at FROM state ORDER BY id DESC LIMIT ?", limit);
  while (row.step())
    found.push_back({.id = row.integer(0),
                     .parent = row.maybe(1, &Statement::integer),
                     .entries = {},
                     .reason = row.text(2),
                     .actor = row.text(3),
                     .created_at = row.time(4)});
  return found;
}

PublishOutcome Registry::publish(const ConceptName& name, int number, std::int64_t expected_head,
                                 const std::string& actor, const std::string& reason) {
  Transaction tx(*database_, Kind::immediate, "publishing " + numbered(name.str(), number));
  const TimePoint now = clock_.now();
  const ConceptRow owner = require_concept(tx, name.str());
  const Version version = require_version(tx, owner, number, true);
  if (version.verdict != Verdict::accepted)
    throw Error(Code::invalid, numbered(name.str(), number) + " was rejected: " + version.verdict_reason, "version");
  if (owner.record.pin)
    throw Error(Code::conflict,
                name.str() + " is pinned at version " + std::to_string(owner.record.pin->version) +
                    "; lift the pin first (conceptctl unpin " + name.str() + ")",
                "name");
  const std::shared_ptr<const State> before = head_in(tx);
  if (before->id != expected_head) return Conflict{before};
  std::shared_ptr<const State> state = insert_state_with(tx, *before, owner, number, actor, reason, now);
  append_audit(tx, now, actor, "publish", name.str(),
               {{"version", number}, {"from", before->id}, {"to", state->id}, {"reason", reason}});
  commit_head(tx, state);
  return Published{std::move(state)};
}

std::shared_ptr<const State> Registry::roll_back(const ConceptName& name, std::optional<int> to,
                                                 const std::string& actor, const std::string& reason, Pinning pinning) {
  Transaction tx(*database_, Kind::immediate, "rolling back " + name.str());
  const TimePoint now = clock_.now();
  const ConceptRow owner = require_concept(tx, name.str());
  const int number = to ? *to : require_version_before(tx, owner);
  const Version version = require_version(tx, owner, number, true);
  if (version.live)
    throw Error(Code::conflict, name.str() + " is at version " + std::to_string(number) + " already", "version");
  if (!version.published)
    throw Error(Code::invalid,
                numbered(name.str(), number) + " was never published, so there is no way back to it" +
                    (version.verdict == Verdict::rejected ? ": " + version.verdict_reason : "") +
                    "; to publish it: conceptctl promote " + numbered(name.str(), number),
                "version");
  const std::shared_ptr<const State> before = head_in(tx);
  std::shared_ptr<const State> state = insert_state_with(tx, *before, owner, number, actor, reason, now);
  if (pinning == Pinning::pin)
    set_pin(tx, owner.id, number, reason, actor, now);
  else
    remove_pin(tx, owner.id);
  Json detail{{"from", before->id},
              {"to", state->id},
              {"to_version", number},
              {"pinned", pinning == Pinning::pin},
              {"reason", reason}};
  if (owner.record.live_version) detail["from_version"] = *owner.record.live_version;
  append_audit(tx, now, actor, "rollback", name.str(), detail);
  commit_head(tx, state);
  return state;
}

std::shared_ptr<const State> Registry::roll_back_state(std::int64_t id, const std::string& actor,
                                                       const std::string& reason, Pinning pinning) {
  Transaction tx(*database_, Kind::immediate, "rolling back to state " + std::to_string(id));
  const TimePoint now = clock_.now();
  const std::shared_ptr<const State> before = head_in(tx);
  const std::shared_ptr<const State> older = read_state(tx, id);
  State next{.reason = reason, .actor = actor};
  Json left_out = Json::array();
  for (const auto& [name, entry] : older->entries) {
    const ConceptRow owner = *find_concept(tx, name);
    if (owner.record.removed_at) {
      left_out.push_back(name);
      continue;
    }
    require_version(tx, owner, entry.version, true);
    next.entries.emplace(name, entry);
  }
  if (next.entries == before->entries)
    throw Error(Code::conflict,
                "the current state " + std::to_string(before->id) + " has the content of state " + std::to_string(id) +
                    " already",
                "state");
  std::vector<std::int64_t> cancelled;  // what is taken away would come back with its next version
  for (const auto& [name, entry] : before->entries)
    if (!next.entries.contains(name))
      for (const std::int64_t job : cancel_jobs_of(tx, find_concept(tx, name)->id, now)) cancelled.push_back(job);
  std::shared_ptr<const State> state = insert_state(tx, std::move(next), now);
  pin_all(tx, *before, *state, pinning, now);
  append_audit(tx, now, actor, "rollback", "state " + std::to_string(id),
               {{"from", before->id},
                {"to", state->id},
                {"like", id},
                {"removed_since", left_out},
                {"cancelled_jobs", cancelled},
                {"pinned", pinning == Pinning::pin},
                {"reason", reason}});
  commit_head(tx, state);
  return state;
}

}  // namespace conceptd::registry
