// A concept pack: versions of concepts with their deltas in one file, for a site that no network reaches. It is an OCI
// image layout in a tar of one form (tar.h), in this order: oci-layout, signature.json, index.json, blobs/sha256/...;
// for each version a manifest that names a config (what is known of the version) and one layer (the delta). No photo,
// no preview, no prompt is in it. The signature is over the digest of index.json, which names all the rest by digest.
//
// Nothing but signature.json is parsed before the signature holds. Whatever is wrong is Error{invalid, "pack"}, or
// Error{exhausted, "pack"} over a limit: unknown names and media types, blobs that are missing, changed, twice there or
// referred to by nothing. A pack is in memory whole, and nobody else sees any of it before all of it was checked.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"
#include "core/json.h"
#include "core/pack/signature.h"

namespace conceptd::pack {

inline constexpr std::size_t kPackBytesMax = 71u << 20;
inline constexpr std::size_t kVersionsMax = 64;
inline constexpr std::size_t kDocumentBytesMax = 256 * 1024;  // any one JSON document of it
inline constexpr std::size_t kPhotosMax = 100;                // digests of what a version learnt from

// All that is known of a version where it was learnt. Times are ISO 8601 in UTC.
struct PackedVersion {
  std::string name{};
  int number = 0;  // there
  std::string class_word{};
  std::string method{};
  std::string base_fingerprint{};
  std::uint64_t seed = 0;
  Json settings = Json::object();
  Json metrics = Json::object();
  std::string verdict{};  // "accepted" or "rejected"
  std::string verdict_reason{};
  std::vector<Digest> photos{};  // what it learnt from
  std::string learned_at{};
  std::string exported_at{};
  std::string release{};  // of the conceptd that exported it
  Json origin{};          // where it was learnt first, texts and numbers by name; null: where it was exported
  std::string delta{};    // the bytes
};

struct OpenedPack {
  std::vector<PackedVersion> versions{};
  Digest index{};                     // what is signed, and what a pack is called by
  std::optional<PublicKey> signer{};  // whose signature holds; empty: it is not signed
};

// Without a signature. Error{exhausted} if it would be too large or hold too many.
std::string write_pack(const std::vector<PackedVersion>& versions);
// The same pack, checked, with the signature of this key instead of any that it had.
std::string sign_pack(std::string_view pack, const PrivateKey& key);
// Error{invalid, "trust"} if it was signed by another key or by nobody.
OpenedPack read_pack(std::string_view pack, const PublicKey& trusted);
// For looking: whoever signed it, if anybody did. A signature that does not hold is refused all the same.
OpenedPack inspect_pack(std::string_view pack);

}  // namespace conceptd::pack
