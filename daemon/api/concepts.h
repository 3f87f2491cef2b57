// Concepts, their photos and versions as clients see them. Digests are "sha256:...", times ISO 8601 in UTC.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "daemon/api/jobs.h"

namespace conceptd::api {

struct Bytes {  // base64 on the wire
  std::string data{};
};

struct Settings {  // of a method: numbers by name, an object on the wire
  Json values = Json::object();
};

struct PhotoUpload {
  std::string name{};  // what the file is called: shown, never opened
  Bytes data{};        // PNG, JPEG or WebP
  std::optional<std::string> caption{};
};

// POST concepts
struct AddConcept {
  std::string name{};
  std::string class_word{};  // "class"
  std::vector<PhotoUpload> photos{};
  std::optional<std::string> method{};
  std::optional<int> steps{};
  std::optional<std::int64_t> seed{};
  std::optional<Settings> settings{};  // the method's others
  std::optional<bool> now{};           // not to wait for the learning window
  std::optional<double> deadline_s{};  // the job fails if it has not begun by then, seconds from now
  std::optional<bool> draft{};         // one first, in seconds (the daemon's default)
  std::optional<bool> dry_run{};       // check all, store nothing, answer Planned
};

struct PhotoInfo {
  std::string digest{};
  std::string media_type{};
  std::string name{};
  std::string caption{};
  std::int64_t size_bytes = 0;
  int width = 0;
  int height = 0;
};

struct VersionInfo {
  int number = 0;
  std::string method{};
  bool live = false;
  bool published = false;
  std::string verdict{};
  std::string verdict_reason{};
  std::string digest{};                    // of the delta
  std::int64_t size_bytes = 0;             // what it has, or had before it was erased
  std::optional<std::string> erased_at{};  // its bytes are gone
  bool overridden = false;                 // published although it was rejected: somebody answers for it
  bool draft = false;                      // learnt in seconds, to serve until the method has learnt
  std::string base_fingerprint{};
  std::optional<int> parent{};
  std::int64_t seed = 0;
  Json settings = Json::object();
  Json metrics = Json::object();
  std::vector<std::string> photos{};  // digests
  std::optional<std::int64_t> job{};
  std::string created_at{};
};

struct ConceptSummary {
  std::string name{};
  std::string class_word{};  // "class"
  std::string status{};      // live, draft, learning, queued, failed, unpublished, unusable, waiting, staged
  int photos = 0;
  std::optional<int> live_version{};
  std::optional<int> pinned_version{};  // learning does not move it
  int newest_version = 0;
  std::optional<std::string> method{};  // of the live version
  std::optional<std::int64_t> size_bytes{};
  std::optional<std::string> learned_at{};
  std::optional<std::int64_t> active_job{};
  std::string created_at{};
};

struct ConceptDetail {
  ConceptSummary summary{};
  std::string created_by{};
  std::vector<PhotoInfo> photos{};
  std::optional<VersionInfo> live{};
  std::optional<JobInfo> last_job{};
  std::optional<std::string> problem{};  // why the live version cannot be used
};

struct ConceptList {
  std::vector<ConceptSummary> concepts{};
  std::int64_t state = 0;
};

struct History {
  std::string name{};
  std::vector<VersionInfo> versions{};  // newest first
};

// What POST concepts and POST concepts/{name}/learn answer.
struct Queued {
  ConceptSummary summary{};  // "concept"
  JobInfo job{};
  std::optional<JobInfo> draft{};  // the job that goes before it
  std::vector<std::string> warnings{};
};

// What would be stored and learnt: the answer to a dry run.
struct Plan {
  std::string name{};
  std::string class_word{};  // "class"
  std::string method{};
  std::optional<int> steps{};
  std::optional<std::int64_t> seed{};
  std::optional<Settings> settings{};
  std::vector<PhotoInfo> photos{};
  std::optional<double> typical_seconds{};  // of the method's last jobs that ended well
  bool draft = false;                       // one comes first
};

struct Planned {
  Plan plan{};
  std::vector<std::string> warnings{};
};

// POST concepts/{name}/learn
struct LearnAgain {
  std::optional<std::string> method{};
  std::optional<int> steps{};
  std::optional<std::int64_t> seed{};
  std::optional<Settings> settings{};
  std::optional<bool> now{};           // not to wait for the learning window
  std::optional<double> deadline_s{};  // as of AddConcept
};

// POST concepts/{name}/rollback
struct RollBack {
  std::optional<int> to{};
  std::optional<std::string> reason{};
  std::optional<bool> pin{};  // hold it there (the default)
};

struct RolledBack {
  std::string name{};
  std::optional<int> from{};
  int to = 0;
  std::int64_t state = 0;
  bool pinned = false;
};

}  // namespace conceptd::api
