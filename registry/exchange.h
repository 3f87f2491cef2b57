// Versions on their way from one site to another, as the registry sees them: it neither reads nor writes packs.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "registry/registry.h"

namespace conceptd::registry {

// Of the deltas of one export, together.
inline constexpr std::int64_t kExportBytesMax = 70ll << 20;

struct VersionName {
  ConceptName name;
  std::string version{};  // a number, an alias, "live" or "previous"
};

struct ExportedVersion {
  Version version;
  std::string class_word{};  // of the concept when the version was made
  std::string delta{};
};

// A version that was learnt elsewhere. Its verdict was reached there; it has no parent and no preview here.
struct ImportedVersion {
  NewVersion version;
  std::string class_word{};
  std::vector<Digest> photos{};  // what it learnt from; none of them need be here
  Json origin = Json::object();  // all that the pack says of where it comes from
};

struct ImportRequest {
  std::vector<ImportedVersion> versions{};
  Digest pack{};         // of what was signed
  std::string signer{};  // the public key that it was checked with, 64 hex digits
  std::string actor{};
};

}  // namespace conceptd::registry
