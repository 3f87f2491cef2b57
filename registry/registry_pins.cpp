// Registry: what holds a version where it is, or gives it a name: pins, aliases, promotion past the gate.
#include <algorithm>
#include <charconv>

#include "registry/registry.h"
#include "registry/rows.h"
#include "registry/sqlite.h"

namespace conceptd::registry {
namespace {

using Kind = Transaction::Kind;

constexpr std::int64_t kAliasesMax = 100;  // of one concept

std::string numbered(const std::string& name, int number) { return name + "@" + std::to_string(number); }

std::vector<Alias> read_aliases(Transaction& tx, std::int64_t concept_id) {
  std::vector<Alias> aliases;
  Statement row =
      tx.query("SELECT name, version, actor, created_at FROM alias WHERE concept = ? ORDER BY name", concept_id);
  while (row.step())
    aliases.push_back({.name = row.text(0), .version = row.number(1), .actor = row.text(2), .created_at = row.time(3)});
  return aliases;
}

Error no_such_alias(Transaction& tx, const ConceptRow& owner, std::string_view alias) {
  std::string known;
  for (const Alias& one : read_aliases(tx, owner.id)) known += (known.empty() ? "" : ", ") + one.name;
  return Error(Code::not_found,
               owner.record.name + " has no alias '" + std::string(alias) + "'" +
                   (known.empty() ? "; set one: conceptctl alias set " + owner.record.name + "@VERSION ALIAS"
                                  : "; it has " + known),
               "version");
}

}  // namespace

int resolve_version(Transaction& tx, const ConceptRow& owner, std::string_view text) {
  const std::string& name = owner.record.name;
  if (text == "live") {
    if (owner.record.live_version) return *owner.record.live_version;
    throw Error(Code::not_found, name + " has no live version", "version");
  }
  if (text == "previous") {
    if (const auto number = version_before(tx, owner)) return *number;
    throw Error(Code::not_found, "nothing of " + name + " was published before the live version", "version");
  }
  if (is_alias(text)) {
    const std::int64_t number = tx.value("SELECT version FROM alias WHERE concept = ? AND name = ?", owner.id, text);
    if (number == 0) throw no_such_alias(tx, owner, text);
    return static_cast<int>(number);
  }
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1)
    throw Error(Code::invalid, "a version is a number from 1 on, an alias, 'live' or 'previous'", "version");
  return number;
}

void set_pin(Transaction& tx, std::int64_t concept_id, int version, const std::string& reason, const std::string& actor,
             TimePoint now) {
  tx.run("INSERT OR REPLACE INTO pin (concept, version, reason, actor, created_at) VALUES (?, ?, ?, ?, ?)", concept_id,
         version, reason, actor, now);
}

bool remove_pin(Transaction& tx, std::int64_t concept_id) {
  return tx.run("DELETE FROM pin WHERE concept = ?", concept_id) > 0;
}

int Registry::resolve(const ConceptName& name, const std::string& version) const {
  Transaction tx(*database_, Kind::read, "finding a version of " + name.str());
  return resolve_version(tx, require_concept(tx, name.str(), true), version);
}

Pin Registry::pin(const ConceptName& name, std::optional<int> number, const std::string& actor,
                  const std::string& reason) {
  Transaction tx(*database_, Kind::immediate, "pinning " + name.str());
  const TimePoint now = clock_.now();
  const ConceptRow owner = require_concept(tx, name.str());
  if (number) require_version(tx, owner, *number, true);
  const std::optional<int>& live = owner.record.live_version;
  if (!live)
    throw Error(Code::conflict, name.str() + " is not in the current state, so there is nothing to hold", "name");
  if (number && *number != *live)
    throw Error(Code::conflict,
                name.str() + " is at version " + std::to_string(*live) +
                    "; a pin holds what is live. Go there (conceptctl " + "rollback " + name.str() + " --to " +
                    std::to_string(*number) + "), which pins it",
                "version");
  set_pin(tx, owner.id, *live, reason, actor, now);
  append_audit(tx, now, actor, "pin", name.str(), {{"version", *live}, {"reason", reason}});
  tx.commit();
  return {.version = *live, .reason = reason, .actor = actor, .created_at = now};
}

void Registry::unpin(const ConceptName& name, const std::string& actor, const std::string& reason) {
  Transaction tx(*database_, Kind::immediate, "unpinning " + name.str());
  const ConceptRow owner = require_concept(tx, name.str());
  if (!owner.record.pin) throw Error(Code::conflict, name.str() + " is not pinned", "name");
  remove_pin(tx, owner.id);
  append_audit(tx, clock_.now(), actor, "unpin", name.str(),
               {{"version", owner.record.pin->version}, {"reason", reason}});
  tx.commit();
}

std::shared_ptr<const State> Registry::promote(const ConceptName& name, int number, bool override_gate,
                                               const std::string& actor, const std::string& reason) {
  const std::string which = numbered(name.str(), number);
  Transaction tx(*database_, Kind::immediate, "promoting " + which);
  const TimePoint now = clock_.now();
  const ConceptRow owner = require_concept(tx, name.str());
  const Version version = require_version(tx, owner, number, true);
  if (version.live) throw Error(Code::conflict, which + " is live already", "version");
  const bool rejected = version.verdict == Verdict::rejected;
  if (rejected && !override_gate)
    throw Error(Code::invalid,
                which + " was rejected: " + version.verdict_reason +
                    "; to publish it all the same, override the gate "
                    "and say why (--override-gate --reason TEXT)",
                "override_gate");
  if (rejected && reason.empty()) throw Error(Code::invalid, "whoever overrides the gate says why", "reason");
  if (rejected)
    tx.run(
        "INSERT INTO gate_override (concept, version, reason, actor, created_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (concept, version) DO NOTHING",
        owner.id, number, reason, actor, now);
  const std::shared_ptr<const State> before = head_in(tx);
  std::shared_ptr<const State> state = insert_state_with(tx, *before, owner, number, actor, reason, now);
  if (owner.record.pin) set_pin(tx, owner.id, number, reason, actor, now);
  Json detail{{"version", number}, {"from", before->id}, {"to", state->id}, {"reason", reason}};
  if (rejected) detail["overridden"] = version.verdict_reason;
  append_audit(tx, now, actor, "promote", name.str(), detail);
  commit_head(tx, state);
  return state;
}

Alias Registry::set_alias(const ConceptName& name, const std::string& alias, int number, const std::string& actor) {
  check_alias(alias);
  Transaction tx(*database_, Kind::immediate, "naming a version of " + name.str());
  const TimePoint now = clock_.now();
  const ConceptRow owner = require_concept(tx, name.str());
  require_version(tx, owner, number, true);
  const std::int64_t before = tx.value("SELECT version FROM alias WHERE concept = ? AND name = ?", owner.id, alias);
  if (before == 0 && tx.value("SELECT count(*) FROM alias WHERE concept = ?", owner.id) >= kAliasesMax)
    throw Error(Code::exhausted,
                name.str() + " has " + std::to_string(kAliasesMax) +
                    " aliases, which is the limit; remove one first "
                    "(conceptctl alias rm)",
                "alias");
  tx.run("INSERT OR REPLACE INTO alias (concept, name, version, actor, created_at) VALUES (?, ?, ?, ?, ?)", owner.id,
         alias, number, actor, now);
  Json detail{{"alias", alias}, {"version", number}};
  if (before != 0) detail["from_version"] = before;
  append_audit(tx, now, actor, "alias", name.str(), detail);
  tx.commit();
  return {.name = alias, .version = number, .actor = actor, .created_at = now};
}

void Registry::remove_alias(const ConceptName& name, const std::string& alias, const std::string& actor) {
  check_alias(alias);
  Transaction tx(*database_, Kind::immediate, "taking a name from a version of " + name.str());
  const ConceptRow owner = require_concept(tx, name.str());
  if (tx.run("DELETE FROM alias WHERE concept = ? AND name = ?", owner.id, alias) == 0)
    throw no_such_alias(tx, owner, alias);
  append_audit(tx, clock_.now(), actor, "unalias", name.str(), {{"alias", alias}});
  tx.commit();
}

std::vector<Alias> Registry::aliases(const ConceptName& name) const {
  Transaction tx(*database_, Kind::read, "listing the aliases of " + name.str());
  return read_aliases(tx, require_concept(tx, name.str(), true).id);
}

}  // namespace conceptd::registry
