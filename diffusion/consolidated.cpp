#include "diffusion/consolidated.h"

#include <algorithm>

#include "core/error.h"
#include "diffusion/document_fields.h"
#include "diffusion/token_covariance.h"

namespace conceptd::diffusion {

namespace {
constexpr const char *kFormat = "1", *kMembers = "conceptd.members", *kWordPrefix = "w.";
constexpr int64_t kRowsMax = 16;
constexpr std::size_t kTensorsMax = 8192, kTextBytesMax = 64, kNoteBytesMax = 64 << 10;

bool is_text(const std::string& text, std::size_t bytes_max) {
  return text.size() <= bytes_max &&
         std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

void check_fields(const Consolidated& made, const Refuse& refuse) {
  if (made.members.empty() || made.members.size() > kMembersMax)
    throw refuse(kMembers, "names no concept, or too many");
  for (const auto& [placeholder, member] : made.members) {
    if (!is_placeholder(placeholder)) throw refuse(placeholder, "is not <name>");
    if (member.delta == Digest()) throw refuse(placeholder, "does not say which delta it came from");
    if (member.class_word.empty() || !is_text(member.class_word, kTextBytesMax))
      throw refuse(placeholder, "has no class word");
  }
  if (made.base_fingerprint == Digest()) throw refuse("conceptd.base_digest", "is missing");
  if (made.covariance_digest == Digest()) throw refuse("conceptd.covariance_digest", "is missing");
  if (!made.settings.is_object()) throw refuse("conceptd.settings", "is not a JSON object");
  for (const auto& [key, value] : made.notes) {
    if (!is_text(key, 256) || !is_text(value, kNoteBytesMax)) throw refuse(key, "is not a short text");
  }
}

void check_tensor(const std::string& name, const Tensor& tensor, const Refuse& refuse) {
  if (tensor.dim() != 2) throw refuse(name, "is not a matrix");
  if (tensor.numel() == 0 || !tensor.isfinite().all().item<bool>())
    throw refuse(name, "is empty or holds a number that is not finite");
}

TensorMap tensors_of(const Consolidated& made) {
  TensorMap all;
  for (const auto& [placeholder, member] : made.members) {
    if (member.rows.defined()) all[kWordPrefix + placeholder] = member.rows;
  }
  for (const auto& [site, difference] : made.merged) all[kMergedPrefix + site] = difference;
  for (const auto& [site, factors] : made.residual)
    all[kDownPrefix + site] = factors.down, all[kUpPrefix + site] = factors.up;
  return all;
}

Json members_json(const Consolidated& made) {
  Json list = Json::array();
  for (const auto& [placeholder, member] : made.members)
    list.push_back({{"placeholder", placeholder}, {"delta", member.delta.tagged()}, {"class", member.class_word}});
  return list;
}

StringMap fields_of(const Consolidated& made) {
  StringMap fields{{"conceptd.format", kFormat},
                   {"conceptd.method", kConsolidatedMethod},
                   {"conceptd.base_digest", made.base_fingerprint.tagged()},
                   {"conceptd.covariance_digest", made.covariance_digest.tagged()},
                   {"conceptd.key", consolidation_key(made).tagged()},
                   {"conceptd.settings", made.settings.dump()},
                   {kMembers, members_json(made).dump()}};
  if (made.text_encoder_digest != Digest()) fields["conceptd.text_encoder_digest"] = made.text_encoder_digest.tagged();
  return fields;
}

std::map<std::string, Consolidated::Member> members_from(const Json& list, const Refuse& refuse) {
  std::map<std::string, Consolidated::Member> members;
  try {
    for (const auto& entry : list) {
      const auto placeholder = entry.at("placeholder").get<std::string>();
      const auto delta = digest_from(entry.at("delta").get<std::string>(), placeholder, refuse);
      const bool is_new =
          members.emplace(placeholder, Consolidated::Member{delta, entry.at("class").get<std::string>()}).second;
      if (!is_new) throw refuse(placeholder, "is named twice");
    }
  } catch (const nlohmann::json::exception&) {
    throw refuse(kMembers, "is not a list of members");
  }
  return members;
}

// Puts a tensor where its name says; false if no name of ours begins so.
bool place(Consolidated& made, const std::string& name, Tensor tensor) {
  const auto after = [&](const char* prefix) { return name.substr(std::string_view(prefix).size()); };
  if (name.starts_with(kWordPrefix)) {
    const auto member = made.members.find(after(kWordPrefix));
    if (member == made.members.end()) return false;
    member->second.rows = std::move(tensor);
  } else if (name.starts_with(kMergedPrefix)) {
    made.merged[after(kMergedPrefix)] = std::move(tensor);
  } else if (name.starts_with(kDownPrefix)) {
    made.residual[after(kDownPrefix)].down = std::move(tensor);
  } else if (name.starts_with(kUpPrefix)) {
    made.residual[after(kUpPrefix)].up = std::move(tensor);
  } else {
    return false;
  }
  return true;
}

void check_shapes(const Consolidated& made, const Refuse& refuse) {
  if (made.merged.empty()) throw refuse(kMergedPrefix, "is missing: there is no closed form");
  for (const auto& [placeholder, member] : made.members) {
    if (member.rows.defined() && (member.rows.size(0) > kRowsMax))
      throw refuse(kWordPrefix + placeholder, "has too many rows");
  }
  for (const auto& [site, factors] : made.residual) {
    if (!factors.down.defined() || !factors.up.defined()) throw refuse(kDownPrefix + site, "has no other half");
    if (factors.down.size(0) != factors.up.size(1)) throw refuse(kDownPrefix + site, "has another rank than its half");
  }
}
}  // namespace

Digest consolidation_key(const Consolidated& made) {
  const Json all{{"base", made.base_fingerprint.hex()},
                 {"covariance", made.covariance_digest.hex()},
                 {"members", members_json(made)},
                 {"settings", made.settings}};
  return Digest::of(all.dump());
}

std::string consolidated_bytes(const Consolidated& made, torch::ScalarType dtype) {
  const std::string what = "a consolidated delta";
  const Refuse refuse{Code::invalid, what};
  if (dtype != torch::kFloat && dtype != torch::kHalf) throw refuse("the document", "is stored as F32 or F16 only");
  check_fields(made, refuse);
  check_shapes(made, refuse);
  auto stored = tensors_of(made);
  for (auto& [name, tensor] : stored) {
    tensor = tensor.detach().to(torch::kCPU, dtype).contiguous();
    check_tensor(name, tensor, refuse);  // after the conversion: a large number is infinite in F16
  }
  auto metadata = fields_of(made);
  for (const auto& [key, value] : made.notes) {
    if (!metadata.emplace(key, value).second) throw refuse(key, "is written by the format itself");
  }
  return safetensors_bytes(stored, metadata);
}

bool is_consolidated(const std::string& bytes, const std::string& what) {
  if (bytes.size() > kDeltaBytesMax) return false;  // whoever reads it says so
  const auto metadata = SafetensorsFile::parse(bytes, what).metadata();
  const auto method = metadata.find("conceptd.method");
  return method != metadata.end() && method->second == kConsolidatedMethod;
}

Consolidated parse_consolidated(std::string bytes, const std::string& what) {
  if (bytes.size() > kDeltaBytesMax) throw Error(Code::exhausted, what + ": a delta holds at most 64 MiB");
  const auto file = SafetensorsFile::parse(std::move(bytes), what);
  const Refuse refuse{Code::corrupt, what};
  const auto& metadata = file.metadata();
  const FieldReader fields(metadata, refuse);
  if (!metadata.contains("conceptd.format") || fields.text("conceptd.format") != kFormat ||
      fields.text("conceptd.method") != kConsolidatedMethod)
    throw Error(Code::invalid, what + " is no consolidated delta that this program reads");
  Consolidated made{.members = members_from(fields.json(kMembers), refuse),
                    .base_fingerprint = fields.digest("conceptd.base_digest"),
                    .text_encoder_digest = fields.digest("conceptd.text_encoder_digest"),
                    .covariance_digest = fields.digest("conceptd.covariance_digest"),
                    .settings = fields.json("conceptd.settings")};
  const auto own = fields_of(made);
  for (const auto& [key, value] : metadata) {
    if (!own.contains(key)) made.notes.emplace(key, value);
  }
  check_fields(made, refuse);
  if (fields.digest("conceptd.key") != consolidation_key(made)) throw refuse("conceptd.key", "is not of what it holds");
  if (file.names().size() > kTensorsMax) throw refuse("the document", "holds too many tensors");
  auto dtype = torch::ScalarType::Undefined;
  for (const auto& name : file.names()) {
    const auto tensor = file.tensor(name);
    if (dtype == torch::ScalarType::Undefined) dtype = tensor.scalar_type();
    if (tensor.scalar_type() != dtype || (dtype != torch::kFloat && dtype != torch::kHalf))
      throw refuse(name, "is not stored as the others, F32 or F16");
    check_tensor(name, tensor, refuse);
    if (!place(made, name, tensor.to(torch::kFloat)))
      throw refuse(name, "is a tensor that a consolidated delta does not have");
  }
  check_shapes(made, refuse);
  return made;
}

void check_consolidated(const Consolidated& made, const DeltaBase& base) {
  const auto conflict = [](const std::string& why) {
    return Error(Code::conflict, "the consolidated delta was made " + why + "; consolidate again on this base");
  };
  const auto refuse = [](const std::string& name, const std::string& why) {
    return Error(Code::corrupt, "the consolidated delta's " + name + " " + why, name);
  };
  if (made.base_fingerprint != base.fingerprint) throw conflict("on base " + made.base_fingerprint.short_hex());
  if (made.text_encoder_digest != Digest() && made.text_encoder_digest != base.text_encoder_digest)
    throw conflict("with another text encoder");
  for (const auto& [placeholder, member] : made.members) {
    if (member.rows.defined() && member.rows.size(1) != base.text_width)
      throw refuse(kWordPrefix + placeholder, "is not as wide as the base's text encoding");
  }
  auto sites = base.key_sites;
  sites.insert(base.value_sites.begin(), base.value_sites.end());
  for (const auto& [site, out] : sites) {
    const auto it = made.merged.find(site);
    if (it == made.merged.end()) throw refuse(kMergedPrefix + site, "is missing");
    if (it->second.size(0) != out || it->second.size(1) != base.text_width)
      throw refuse(kMergedPrefix + site, "has another shape than the base's layer");
    if (made.residual.empty()) continue;
    const auto factors = made.residual.find(site);
    if (factors == made.residual.end()) throw refuse(kDownPrefix + site, "is missing");
    if (factors->second.up.size(0) != out || factors->second.down.size(1) != base.text_width)
      throw refuse(kDownPrefix + site, "is not as wide as the base's layer");
  }
  if (made.merged.size() != sites.size() || (!made.residual.empty() && made.residual.size() != sites.size()))
    throw refuse("tensors", "are for a site that the base does not have");
}

EditSet consolidated_edits(const Consolidated& made, const DeltaBase& base,
                           const std::vector<std::string>& placeholders) {
  check_consolidated(made, base);
  EditSet set;
  for (const auto& placeholder : placeholders) {
    const auto member = made.members.find(placeholder);
    if (member == made.members.end())
      throw Error(Code::invalid, placeholder + " is no concept of this consolidated delta", "prompt");
    const auto& [name, of] = *member;
    set.tokens.push_back({name, of.rows, of.rows.defined() ? std::string() : of.class_word});
  }
  for (const auto& [site, difference] : made.merged) set.sites[site].low_rank.push_back({Tensor(), difference});
  for (const auto& [site, factors] : made.residual) set.sites[site].low_rank.push_back({factors.down, factors.up});
  return set;
}

}  // namespace conceptd::diffusion
