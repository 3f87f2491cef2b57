// Concept packs, as clients see them; wire.h has their JSON. Digests are "sha256:...".
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "daemon/api/concepts.h"
#include "daemon/api/limits.h"

namespace conceptd::api {

inline constexpr std::size_t kPackBytesMax = kPhotosBytesMax;  // in a body of kAddBytesMax
inline constexpr std::size_t kPackVersionsMax = 64;

// POST export
struct ExportPack {
  std::vector<std::string> concepts{};  // "kettle-7", or "kettle-7@VERSION"
};

struct ExportedPack {
  std::string digest{};
  Bytes pack{};  // not signed yet: the key stays with whoever asked
};

// POST import
struct ImportPack {
  Bytes pack{};
  std::string trust{};              // the public key of whoever signed it: 64 hex digits
  std::optional<std::string> as{};  // another name, where all that it holds is one concept
};

struct ImportedVersion {
  std::string name{};
  int version = 0;
  std::string class_word{};
  std::string origin_name{};  // where it was exported
  int origin_version = 0;
  std::string method{};
  std::string verdict{};  // reached there
  std::string digest{};
  std::int64_t size_bytes = 0;
};

struct ImportedPack {
  std::string digest{};
  std::string signer{};
  std::vector<ImportedVersion> versions{};
  std::vector<std::string> warnings{};
};

}  // namespace conceptd::api
