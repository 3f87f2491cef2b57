// What holds, names, moves and erases versions, and what keeps a registry well, as clients see it. A version in a
// request is a text: a number, an alias, "live" or "previous". Digests are "sha256:...", times ISO 8601 in UTC.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace conceptd::api {

// POST concepts/{name}/pin and .../unpin, which takes no version
struct PinConcept {
  std::optional<std::string> version{};
  std::optional<std::string> reason{};
};

struct Pinned {
  std::string name{};
  int version = 0;
  bool pinned = false;
  std::string reason{};
};

// POST concepts/{name}/promote; answered with RolledBack
struct Promote {
  std::string version{};
  std::optional<bool> override_gate{};
  std::optional<std::string> reason{};
};

// POST states/{id}/rollback
struct RollBackState {
  std::optional<std::string> reason{};
  std::optional<bool> pin{};
};

struct StateRolledBack {
  std::int64_t from = 0;   // what was published
  std::int64_t like = 0;   // whose content it is
  std::int64_t state = 0;  // what is published now
  int concepts = 0;
  bool pinned = false;
};

// POST concepts/{name}/alias and .../unalias, which takes no version
struct SetAlias {
  std::string alias{};
  std::optional<std::string> version{};
};

struct AliasInfo {
  std::string alias{};
  int version = 0;
  std::string set_by{};
  std::string created_at{};
};

struct AliasList {
  std::string name{};
  std::vector<AliasInfo> aliases{};
};

struct ChangeInfo {
  std::string field{};
  Json from{};
  Json to{};
};

// GET diff?from=&to=, each "kettle-7@3" or "state:12"
struct Difference {
  std::string from{};
  std::string to{};
  std::vector<ChangeInfo> changes{};
};

// POST concepts/{name}/remove and .../undelete
struct ForReason {
  std::optional<std::string> reason{};
};

struct Moved {
  std::string name{};
  std::int64_t state = 0;        // published now
  std::optional<int> version{};  // of the concept in it
};

// POST gc
struct CollectGarbage {
  std::optional<bool> dry_run{};
  std::optional<int> keep_states{};
  std::optional<std::int64_t> older_than_s{};
};

struct ErasedInfo {
  std::string name{};
  int version = 0;
  std::int64_t size_bytes = 0;
};

struct Collected {
  bool dry_run = false;
  std::vector<ErasedInfo> versions{};
  std::vector<std::string> concepts{};  // removed ones whose photos went
  int previews = 0;
  int photos = 0;
  int stray_files = 0;
  std::int64_t bytes = 0;
  int keep_states = 0;
  std::int64_t older_than_s = 0;
};

// POST verify
struct Verify {
  std::optional<bool> deep{};
};

struct Verified {
  bool deep = false;
  std::vector<std::string> faults{};
  std::int64_t versions = 0;
  std::int64_t photos = 0;
  std::int64_t states = 0;
  double seconds = 0;
};

struct AuditEntry {
  std::int64_t id = 0;
  std::string at{};
  std::string actor{};
  std::string action{};
  std::string subject{};
  Json detail = Json::object();
  std::string hash{};
};

// GET audit?subject=&limit=&verify_chain=true
struct AuditList {
  std::vector<AuditEntry> rows{};      // newest first
  std::optional<bool> chain_holds{};   // where that was asked
  std::optional<std::string> fault{};  // the first link that does not hold
};

// POST backup; the name is a folder's below <data>/backups
struct BackUp {
  std::optional<std::string> name{};
};

struct BackedUp {
  std::string folder{};
  std::int64_t state = 0;
  std::string database{};  // its digest
  std::int64_t database_bytes = 0;
  int versions = 0;
  int photos = 0;
  std::vector<std::string> missing{};  // photos that were missing or damaged already, by digest
};

}  // namespace conceptd::api
