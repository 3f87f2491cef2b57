#include "core/pack/pack.h"

#include <map>

#include "core/error.h"
#include "core/pack/pack_documents.h"
#include "core/pack/tar.h"

namespace conceptd::pack {
namespace {

constexpr std::size_t kBlobsMax = 3 * kVersionsMax;  // a manifest, a config and a delta each
constexpr std::string_view kBlobs = "blobs/sha256/";

// The files of a pack, each blob hashed and what its name says.
struct Files {
  std::optional<std::string_view> signature;
  std::string_view index;
  std::map<Digest, std::string_view> blobs;
};

Digest digest_in(const std::string& name) {
  if (name.starts_with(kBlobs))
    if (const auto raw = from_hex(std::string_view(name).substr(kBlobs.size())); raw && raw->size() == Digest::kBytes)
      return Digest::from_raw(*raw);
  std::string printable;
  for (const char c : name) printable += c >= ' ' && c <= '~' ? c : '?';
  throw broken_pack("it has a file called '" + printable + "', which packs do not have");
}

TarEntry require(TarReader& reader, const std::string& name) {
  std::optional<TarEntry> entry = reader.next();
  if (!entry || entry->name != name)
    throw broken_pack(name + " is not where it must be" + (entry ? ", there is another file" : ""));
  return *std::move(entry);
}

void check_signature(const Signature& signature, std::string_view index) {
  if (signature.index != Digest::of(index) || !signature.key.verifies(signed_text(signature.index), signature.bytes))
    throw broken_pack("its signature does not hold: it was changed after it was signed");
}

Files read_files(std::string_view pack, const PublicKey* trusted, std::optional<PublicKey>& signer) {
  if (pack.size() > kPackBytesMax)
    throw Error(Code::exhausted, "a pack has at most " + std::to_string(kPackBytesMax) + " bytes", "pack");
  TarReader reader(pack);
  if (require(reader, "oci-layout").bytes != kLayout)
    throw broken_pack("its oci-layout is not of version 1.0.0; was it made by a newer conceptd?");
  Files files;
  std::optional<TarEntry> next = reader.next();
  std::optional<Signature> signature;
  if (next && next->name == "signature.json") {
    files.signature = next->bytes;
    signature = read_signature(next->bytes);
    next = reader.next();
  }
  if (trusted && !signature)
    throw Error(Code::invalid, "the pack is not signed, so nobody can be trusted for it", "trust");
  if (trusted && signature->key != *trusted)
    throw Error(
        Code::invalid,
        "the pack is signed by the key " + signature->key.hex() + ", not by the one to be trusted, " + trusted->hex(),
        "trust");
  if (!next || next->name != "index.json") throw broken_pack("index.json is not where it must be");
  files.index = next->bytes;
  if (signature) {
    check_signature(*signature, files.index);
    signer = signature->key;
  }
  while ((next = reader.next())) {
    const Digest digest = digest_in(next->name);
    if (files.blobs.size() == kBlobsMax)
      throw Error(Code::exhausted, "a pack has at most " + std::to_string(kBlobsMax) + " blobs", "pack");
    if (Digest::of(next->bytes) != digest) throw broken_pack(next->name + " is damaged: its bytes are others");
    if (!files.blobs.emplace(digest, next->bytes).second) throw broken_pack(next->name + " is there twice");
  }
  return files;
}

// Each blob is referred to somewhere; whatever is left over at the end has no business in a pack.
class Blobs {
 public:
  explicit Blobs(const std::map<Digest, std::string_view>& blobs) : blobs_(blobs), unused_(blobs) {}
  std::string_view get(const Descriptor& item) {
    const auto found = blobs_.find(item.digest);
    if (found == blobs_.end()) throw broken_pack("the blob " + item.digest.tagged() + " is missing");
    if (found->second.size() != item.size)
      throw broken_pack("the blob " + item.digest.tagged() + " has another size than its document says");
    unused_.erase(item.digest);
    return found->second;
  }
  void end() const {
    if (!unused_.empty()) throw broken_pack("nothing refers to the blob " + unused_.begin()->first.tagged());
  }

 private:
  const std::map<Digest, std::string_view>& blobs_;
  std::map<Digest, std::string_view> unused_;
};

OpenedPack open_pack(std::string_view pack, const PublicKey* trusted) {
  OpenedPack opened;
  const Files files = read_files(pack, trusted, opened.signer);
  Blobs blobs(files.blobs);
  std::size_t bytes = 0;  // one blob may be the delta of many
  for (const Descriptor& item : read_index(files.index)) {
    const Manifest manifest = read_manifest(blobs.get(item));
    PackedVersion version = read_config(blobs.get(manifest.config));
    version.delta = blobs.get(manifest.delta);
    if ((bytes += version.delta.size()) > kPackBytesMax)
      throw Error(Code::exhausted, "the deltas of the pack are too large together", "pack");
    opened.versions.push_back(std::move(version));
  }
  blobs.end();
  opened.index = Digest::of(files.index);
  return opened;
}

// Of blobs that are named in the order in which they come.
std::string assemble(const std::optional<std::string>& signature, std::string_view index,
                     const std::vector<std::string_view>& blobs) {
  TarWriter tar;
  tar.add("oci-layout", kLayout);
  if (signature) tar.add("signature.json", *signature);
  tar.add("index.json", index);
  for (const std::string_view blob : blobs) tar.add(std::string(kBlobs) + Digest::of(blob).hex(), blob);
  std::string bytes = tar.finish();
  if (bytes.size() > kPackBytesMax)
    throw Error(Code::exhausted,
                "the pack would have " + std::to_string(bytes.size()) + " bytes, over the limit of " +
                    std::to_string(kPackBytesMax) + "; export fewer concepts at a time",
                "concepts");
  return bytes;
}

}  // namespace

std::string write_pack(const std::vector<PackedVersion>& versions) {
  if (versions.size() > kVersionsMax)
    throw Error(Code::exhausted, "a pack holds at most " + std::to_string(kVersionsMax) + " versions", "concepts");
  std::vector<std::string> documents;
  documents.reserve(2 * versions.size());  // views into it are kept
  std::map<Digest, std::string_view> known;
  std::vector<std::string_view> blobs;
  std::vector<Descriptor> manifests;
  const auto keep = [&](std::string_view bytes) {
    const Digest digest = Digest::of(bytes);
    if (known.emplace(digest, bytes).second) blobs.push_back(bytes);
    return Descriptor{.digest = digest, .size = bytes.size()};
  };
  for (const PackedVersion& version : versions) {
    const Descriptor config = keep(documents.emplace_back(write_config(version)));
    const Descriptor delta = keep(version.delta);
    manifests.push_back(keep(documents.emplace_back(write_manifest({.config = config, .delta = delta}))));
  }
  return assemble(std::nullopt, write_index(manifests), blobs);
}

std::string sign_pack(std::string_view pack, const PrivateKey& key) {
  const OpenedPack opened = inspect_pack(pack);
  TarReader reader(pack);
  std::string_view index;
  std::vector<std::string_view> blobs;
  while (const std::optional<TarEntry> entry = reader.next()) {
    if (entry->name == "index.json") index = entry->bytes;
    if (entry->name.starts_with(kBlobs)) blobs.push_back(entry->bytes);
  }
  const Signature signature{
      .index = opened.index, .key = key.public_key(), .bytes = key.sign(signed_text(opened.index))};
  return assemble(write_signature(signature), index, blobs);
}

OpenedPack read_pack(std::string_view pack, const PublicKey& trusted) { return open_pack(pack, &trusted); }

OpenedPack inspect_pack(std::string_view pack) { return open_pack(pack, nullptr); }

}  // namespace conceptd::pack
