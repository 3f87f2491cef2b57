// The JSON documents of a pack, each read strictly: another field, type or media type than those it has is refused.
// Private to the folder.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/pack/pack.h"

namespace conceptd::pack {

inline constexpr std::string_view kLayout = R"({"imageLayoutVersion":"1.0.0"})";
inline constexpr std::string_view kManifestType = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kConfigType = "application/vnd.conceptd.version.config.v1+json";
inline constexpr std::string_view kDeltaType = "application/vnd.conceptd.delta.v1.safetensors";

// What a document names: a blob, by digest, with its size.
struct Descriptor {
  Digest digest{};
  std::uint64_t size = 0;
};

struct Manifest {
  Descriptor config, delta;
};

struct Signature {
  Digest index{};
  PublicKey key;
  std::string bytes{};
};

Error broken_pack(const std::string& what);  // Error{invalid, "pack"}

std::string write_index(const std::vector<Descriptor>& manifests);
std::vector<Descriptor> read_index(std::string_view text);
std::string write_manifest(const Manifest& manifest);
Manifest read_manifest(std::string_view text);
std::string write_config(const PackedVersion& version);  // all but the delta
PackedVersion read_config(std::string_view text);
std::string write_signature(const Signature& signature);
Signature read_signature(std::string_view text);
// What is signed: no signature of anything else can be taken for it.
std::string signed_text(const Digest& index);

}  // namespace conceptd::pack
