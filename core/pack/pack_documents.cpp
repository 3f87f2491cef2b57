#include "core/pack/pack_documents.h"

#include <set>

namespace conceptd::pack {
namespace {

constexpr std::string_view kIndexType = "application/vnd.oci.image.index.v1+json";
constexpr std::string_view kVersionType = "application/vnd.conceptd.version.v1";
constexpr const char* kFormatKey = "io.conceptd.pack.format";
constexpr const char* kFormat = "1";
constexpr std::size_t kTextBytesMax = 500, kDepthMax = 8, kOriginFieldsMax = 16;

std::string shown(const std::string& text) {
  std::string printable;
  for (const char c : text.substr(0, 100)) printable += c >= ' ' && c <= '~' ? c : '?';
  return "'" + printable + "'";
}

Json parse(std::string_view text, const std::string& what) {
  if (text.size() > kDocumentBytesMax)
    throw Error(Code::exhausted, what + " of the pack is larger than " + std::to_string(kDocumentBytesMax) + " bytes",
                "pack");
  try {
    return parse_json(text, what, kDepthMax);
  } catch (const Error& error) {
    throw broken_pack(error.what());
  }
}

// An object whose fields are all asked for, once, before end().
class Fields {
 public:
  Fields(Json json, std::string what) : json_(std::move(json)), what_(std::move(what)) {
    if (!json_.is_object()) throw broken_pack(what_ + " is no JSON object");
  }

  const Json& any(const char* name) {
    known_.insert(name);
    const auto found = json_.find(name);
    if (found == json_.end()) throw wrong(name, "is missing");
    return *found;
  }
  std::string text(const char* name) {
    const Json& value = any(name);
    if (!value.is_string()) throw wrong(name, "is no text");
    std::string read = value.get<std::string>();
    if (read.size() > kTextBytesMax) throw wrong(name, "is too long");
    for (const char c : read)
      if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) throw wrong(name, "holds a control character");
    return read;
  }
  std::uint64_t number(const char* name, std::uint64_t max) {
    const Json& value = any(name);
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > max) throw wrong(name, "is no number in its range");
    return value.get<std::uint64_t>();
  }
  Json object(const char* name) {
    const Json& value = any(name);
    if (!value.is_object()) throw wrong(name, "is no object");
    return value;
  }
  const Json& list(const char* name, std::size_t max) {
    const Json& value = any(name);
    if (!value.is_array()) throw wrong(name, "is no list");
    if (value.size() > max) throw Error(Code::exhausted, message(name, "has more than " + std::to_string(max)), "pack");
    return value;
  }
  Digest digest(const char* name) { return digest_of(any(name), name); }
  Digest digest_of(const Json& value, const char* name) const {
    const std::string text = value.is_string() ? value.get<std::string>() : std::string();
    try {
      if (text.starts_with("sha256:")) return Digest::parse(text);
    } catch (const Error&) {
    }
    throw wrong(name, "is no digest (sha256:...)");
  }
  void must_be(const char* name, const Json& expected) {
    if (any(name) != expected) throw wrong(name, "is not " + expected.dump() + "; was it made by a newer conceptd?");
  }
  void media_type(std::string_view expected) {
    if (const std::string found = text("mediaType"); found != expected)
      throw wrong("mediaType", "is " + shown(found) + ", which is not known here; was it made by a newer conceptd?");
  }
  void end() const {
    for (const auto& [name, ignored] : json_.items())
      if (!known_.contains(name))
        throw broken_pack(what_ + " has " + shown(name) +
                          ", which is not known here; was it made by a newer conceptd?");
  }
  Error wrong(const char* name, const std::string& how) const { return broken_pack(message(name, how)); }

 private:
  std::string message(const char* name, const std::string& how) const {
    return "'" + std::string(name) + "' of " + what_ + " " + how;
  }
  const Json json_;
  const std::string what_;
  std::set<std::string> known_;
};

// One level of texts and numbers.
void check_origin(const Json& origin, const Fields& fields) {
  if (!origin.is_object() || origin.size() > kOriginFieldsMax) throw fields.wrong("origin", "is not as packs have it");
  for (const auto& [name, value] : origin.items())
    if (!value.is_number_integer() &&
        !(value.is_string() && value.get_ref<const std::string&>().size() <= kTextBytesMax))
      throw fields.wrong("origin", "holds more than texts and numbers");
}

Json descriptor_json(const Descriptor& item, std::string_view type) {
  return {{"mediaType", type}, {"digest", item.digest.tagged()}, {"size", item.size}};
}

Descriptor read_descriptor(const Json& json, std::string_view type, const std::string& what) {
  Fields fields(json, what);
  fields.media_type(type);
  const Descriptor item{.digest = fields.digest("digest"), .size = fields.number("size", kPackBytesMax)};
  fields.end();
  return item;
}

}  // namespace

Error broken_pack(const std::string& what) { return Error(Code::invalid, "the pack is refused: " + what, "pack"); }

std::string write_index(const std::vector<Descriptor>& manifests) {
  Json list = Json::array();
  for (const Descriptor& item : manifests) list.push_back(descriptor_json(item, kManifestType));
  return Json{
      {"schemaVersion", 2}, {"mediaType", kIndexType}, {"manifests", list}, {"annotations", {{kFormatKey, kFormat}}}}
      .dump();
}

std::vector<Descriptor> read_index(std::string_view text) {
  Fields fields(parse(text, "index.json"), "index.json");
  fields.must_be("annotations", {{kFormatKey, kFormat}});
  fields.must_be("schemaVersion", 2);
  fields.media_type(kIndexType);
  std::vector<Descriptor> manifests;
  for (const Json& item : fields.list("manifests", kVersionsMax))
    manifests.push_back(read_descriptor(item, kManifestType, "a manifest of index.json"));
  fields.end();
  if (manifests.empty()) throw broken_pack("it holds no version");
  return manifests;
}

std::string write_manifest(const Manifest& manifest) {
  return Json{{"schemaVersion", 2},
              {"mediaType", kManifestType},
              {"artifactType", kVersionType},
              {"config", descriptor_json(manifest.config, kConfigType)},
              {"layers", Json::array({descriptor_json(manifest.delta, kDeltaType)})}}
      .dump();
}

Manifest read_manifest(std::string_view text) {
  Fields fields(parse(text, "a manifest"), "a manifest");
  fields.must_be("schemaVersion", 2);
  fields.media_type(kManifestType);
  fields.must_be("artifactType", kVersionType);
  Manifest manifest{.config = read_descriptor(fields.any("config"), kConfigType, "the config of a manifest"),
                    .delta = {}};
  const Json& layers = fields.list("layers", 1);
  if (layers.empty()) throw broken_pack("a manifest has no layer");
  manifest.delta = read_descriptor(layers[0], kDeltaType, "the layer of a manifest");
  fields.end();
  return manifest;
}

std::string write_config(const PackedVersion& version) {
  Json photos = Json::array();
  for (const Digest& photo : version.photos) photos.push_back(photo.tagged());
  return Json{{"name", version.name},
              {"version", version.number},
              {"class", version.class_word},
              {"method", version.method},
              {"base_fingerprint", version.base_fingerprint},
              {"seed", version.seed},
              {"settings", version.settings},
              {"metrics", version.metrics},
              {"verdict", version.verdict},
              {"verdict_reason", version.verdict_reason},
              {"photos", photos},
              {"learned_at", version.learned_at},
              {"exported_at", version.exported_at},
              {"release", version.release},
              {"origin", version.origin}}
      .dump();
}

PackedVersion read_config(std::string_view text) {
  Fields fields(parse(text, "a config"), "a config");
  PackedVersion version{.name = fields.text("name"),
                        .number = static_cast<int>(fields.number("version", 1'000'000'000)),
                        .class_word = fields.text("class"),
                        .method = fields.text("method"),
                        .base_fingerprint = fields.text("base_fingerprint"),
                        .seed = fields.number("seed", UINT64_MAX),
                        .settings = fields.object("settings"),
                        .metrics = fields.object("metrics"),
                        .verdict = fields.text("verdict"),
                        .verdict_reason = fields.text("verdict_reason"),
                        .learned_at = fields.text("learned_at"),
                        .exported_at = fields.text("exported_at"),
                        .release = fields.text("release"),
                        .origin = fields.any("origin")};
  if (version.verdict != "accepted" && version.verdict != "rejected")
    throw fields.wrong("verdict", "is neither accepted nor rejected");
  if (!version.origin.is_null()) check_origin(version.origin, fields);
  for (const Json& photo : fields.list("photos", kPhotosMax))
    version.photos.push_back(fields.digest_of(photo, "photos"));
  fields.end();
  return version;
}

std::string write_signature(const Signature& signature) {
  return Json{{"algorithm", "ed25519"},
              {"index", signature.index.tagged()},
              {"key", signature.key.hex()},
              {"signature", to_hex(signature.bytes)}}
      .dump();
}

Signature read_signature(std::string_view text) {
  Fields fields(parse(text, "signature.json"), "signature.json");
  fields.must_be("algorithm", "ed25519");
  Signature signature{.index = fields.digest("index"), .key = PublicKey::parse(fields.text("key"), "pack")};
  const std::optional<std::string> bytes = from_hex(fields.text("signature"));
  if (!bytes || bytes->size() != PublicKey::kSignatureBytes) throw fields.wrong("signature", "is not 128 hex digits");
  signature.bytes = *bytes;
  fields.end();
  return signature;
}

std::string signed_text(const Digest& index) { return "conceptd pack 1\n" + index.tagged() + "\n"; }

}  // namespace conceptd::pack
