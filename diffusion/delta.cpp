#include "diffusion/delta.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "diffusion/document_fields.h"
#include "diffusion/model_bundle.h"
#include "diffusion/packed_residuals.h"
#include "diffusion/token_covariance.h"
#include "diffusion/weights.h"

namespace conceptd::diffusion {

namespace {

constexpr const char *kFormat = "1", *kSitesField = "conceptd.sites";
constexpr int64_t kRowsMax = 16;  // of one placeholder
constexpr std::size_t kTensorsMax = 4096, kTextBytesMax = 64 << 10, kClassBytesMax = 64;

bool is_perfusion(const Delta& delta) { return delta.method == "perfusion"; }
bool is_infusion(const Delta& delta) { return delta.method == "infusion"; }
bool is_lora(const Delta& delta) { return delta.method == "lora"; }
bool is_tuning_encoder(const Delta& delta) { return delta.method == "tuning_encoder"; }
bool is_custom_diffusion(const Delta& delta) { return delta.method == "custom_diffusion"; }

bool has_key_residuals(const Delta& delta) {
  return std::any_of(delta.tensors.begin(), delta.tensors.end(),
                     [](const auto& item) { return item.first.starts_with(kKeyResidualPrefix); });
}

bool is_text(const std::string& text, std::size_t bytes_max) {
  return text.size() <= bytes_max && std::none_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t';
         });
}

void check_method(const Delta& delta, const Refuse& refuse) {
  const auto& methods = delta_methods();
  if (std::find(methods.begin(), methods.end(), delta.method) != methods.end()) return;
  std::string list;
  for (const auto& method : methods) list += (list.empty() ? "" : ", ") + method;
  throw Error(Code::invalid,
              refuse.what + ": its method '" + delta.method.substr(0, 64) + "' is not one we know: " + list, "method");
}

void check_fields(const Delta& delta, const Refuse& refuse) {
  check_method(delta, refuse);
  if (!is_placeholder(delta.placeholder)) throw refuse("conceptd.placeholder", "is not <name>");
  if (delta.class_word.empty() || !is_text(delta.class_word, kClassBytesMax)) {
    throw refuse("conceptd.class_word", "is not a word");
  }
  if (delta.base_fingerprint == Digest()) throw refuse("conceptd.base_digest", "is missing");
  if (is_perfusion(delta) && delta.covariance_digest == Digest()) {
    throw refuse("conceptd.covariance_digest", "is missing");
  }
  if (!(std::abs(delta.bias) <= 1e3)) throw refuse("conceptd.gate_bias", "is not within -1000..1000");
  if (!(delta.temperature >= 1e-3 && delta.temperature <= 1e3)) {
    throw refuse("conceptd.gate_temperature", "is not within 0.001..1000");
  }
  if (is_tuning_encoder(delta)) {
    if (delta.hard_word.empty() || !is_text(delta.hard_word, kClassBytesMax))
      throw refuse("conceptd.hard_word", "is not a word");
    if (!(delta.alpha >= 0 && delta.alpha <= 1)) throw refuse("conceptd.alpha", "is not within 0..1");
  }
  if (!delta.settings.is_object()) throw refuse("conceptd.settings", "is not a JSON object");
  for (const auto& [key, value] : delta.notes) {
    if (!is_text(key, 256) || !is_text(value, kTextBytesMax)) throw refuse(key.substr(0, 256), "is not a short text");
  }
}

void check_tensor(const std::string& name, const Tensor& tensor, const Delta& delta, const Refuse& refuse) {
  const bool perfusion = is_perfusion(delta), infusion = is_infusion(delta);
  const bool output = name.starts_with(kKeyPrefix) || name.starts_with(kValuePrefix);
  const bool residual = name.starts_with(kKeyResidualPrefix) || name.starts_with(kValueResidualPrefix);
  if (name == kWordTensor && !infusion) {
    if (tensor.dim() != 2 || tensor.size(0) < 1 ||
        tensor.size(0) > (perfusion || is_tuning_encoder(delta) ? 1 : kRowsMax)) {
      throw refuse(name, "is not one row of the token table each placeholder token");
    }
  } else if ((perfusion && (output || name == kInputTensor)) || (infusion && residual)) {
    if (tensor.dim() != 1) throw refuse(name, "is not a vector");
  } else if (((is_lora(delta) || is_tuning_encoder(delta)) &&
              (name.starts_with(kDownPrefix) || name.starts_with(kUpPrefix))) ||
             (is_custom_diffusion(delta) && name.starts_with(kDifferencePrefix))) {
    if (tensor.dim() != 2) throw refuse(name, "is not a matrix");
  } else {
    throw refuse(name.substr(0, 200), "is a tensor that this method does not have");
  }
  if (tensor.numel() == 0 || !tensor.isfinite().all().item<bool>()) {
    throw refuse(name, "is empty or holds a number that is not finite");
  }
}

void check_tensors(const Delta& delta, const Refuse& refuse) {
  if (delta.tensors.size() > kTensorsMax) throw refuse("the document", "holds too many tensors");
  for (const auto& [name, tensor] : delta.tensors) check_tensor(name, tensor, delta, refuse);
  if (!is_infusion(delta) && !delta.tensors.contains(kWordTensor)) throw refuse(kWordTensor, "is missing");
  if (is_perfusion(delta) && !delta.tensors.contains(kInputTensor)) throw refuse(kInputTensor, "is missing");
}

StringMap fields_of(const Delta& delta) {
  StringMap fields{{"conceptd.format", kFormat},
                   {"conceptd.method", delta.method},
                   {"conceptd.class_word", delta.class_word},
                   {"conceptd.placeholder", delta.placeholder},
                   {"conceptd.base_digest", delta.base_fingerprint.tagged()},
                   {"conceptd.settings", delta.settings.dump()}};
  if (delta.text_encoder_digest != Digest()) {
    fields["conceptd.text_encoder_digest"] = delta.text_encoder_digest.tagged();
  }
  if (is_perfusion(delta)) {
    fields["conceptd.covariance_digest"] = delta.covariance_digest.tagged();
    fields["conceptd.gate_bias"] = Json(delta.bias).dump();
    fields["conceptd.gate_temperature"] = Json(delta.temperature).dump();
  }
  if (is_tuning_encoder(delta)) {
    fields["conceptd.hard_word"] = delta.hard_word;
    fields["conceptd.alpha"] = Json(delta.alpha).dump();
  }
  return fields;
}

// What other tools show; our own reader passes it over where it says the same.
StringMap courtesy_of(const Delta& delta) {
  return {{"modelspec.sai_model_spec", "1.0.1"},
          {"modelspec.title", delta.placeholder.substr(1, delta.placeholder.size() - 2)},
          {"modelspec.trigger_phrase", delta.placeholder}};
}

// The compact form: `tensors` become r_V and s_V; the list of sites.
std::string pack(TensorMap& tensors, const Refuse& refuse) {
  TensorMap by_site;
  for (const auto& [name, tensor] : tensors) {
    if (!name.starts_with(kValueResidualPrefix)) throw refuse(name, "has no compact form; Infusion's r_V has");
    by_site[name.substr(std::string_view(kValueResidualPrefix).size())] = tensor;
  }
  if (by_site.empty()) throw refuse(kPackedTensor, "has no values");
  auto packed = pack_residuals(by_site, kValueSiteSuffix);
  tensors = {{kPackedTensor, packed.values}, {kScalesTensor, packed.scales}};
  return std::move(packed.sites);
}

TensorMap unpacked(const SafetensorsFile& file, const std::string& sites, const Refuse& refuse) {
  for (const auto& name : file.names()) {
    if (name != kPackedTensor && name != kScalesTensor) {
      throw refuse(name.substr(0, 200), "is a tensor that the compact form does not have");
    }
  }
  TensorMap tensors;
  const PackedResiduals packed{file.tensor(kPackedTensor), file.tensor(kScalesTensor), sites};
  for (auto& [site, values] : unpack_residuals(packed, kValueSiteSuffix, refuse.what)) {
    tensors[kValueResidualPrefix + site] = std::move(values);
  }
  return tensors;
}

void check_sites(const Delta& delta, const char* prefix, const std::map<std::string, int64_t>& sites) {
  const auto refuse = [&](const std::string& name, const std::string& why) {
    return Error(Code::corrupt, delta.placeholder + ": " + name + " " + why, name);
  };
  for (const auto& [site, out] : sites) {
    const auto it = delta.tensors.find(prefix + site);
    if (it == delta.tensors.end()) throw refuse(prefix + site, "is missing");
    if (it->second.size(0) != out) {
      throw refuse(prefix + site, "has " + std::to_string(it->second.size(0)) + " values; the base's layer yields " +
                                      std::to_string(out));
    }
  }
  for (const auto& [name, tensor] : delta.tensors) {
    if (name.starts_with(prefix) && !sites.contains(name.substr(std::string_view(prefix).size()))) {
      throw refuse(name, "is for a site that the base does not have");
    }
  }
}

// Halves that belong together, at layers that the base has.
void check_adapters(const Delta& delta, const std::map<std::string, DeltaBase::Widths>& projections) {
  const auto refuse = [&](const std::string& name, const std::string& why) {
    return Error(Code::corrupt, delta.placeholder + ": " + name + " " + why, name);
  };
  for (const auto& [name, tensor] : delta.tensors) {
    if (name == kWordTensor) continue;
    const bool is_down = name.starts_with(kDownPrefix);
    const auto site = name.substr(std::string_view(is_down ? kDownPrefix : kUpPrefix).size());
    const auto other = delta.tensors.find((is_down ? kUpPrefix : kDownPrefix) + site);
    const auto layer = projections.find(site);
    if (layer == projections.end()) throw refuse(name, "is for a site that the base does not have");
    if (other == delta.tensors.end()) throw refuse(name, "has no other half");
    const int64_t rank_at = is_down ? 0 : 1, width = is_down ? layer->second.in : layer->second.out;
    if (tensor.size(rank_at) != other->second.size(1 - rank_at)) throw refuse(name, "has another rank than its half");
    if (tensor.size(1 - rank_at) != width) throw refuse(name, "is not as wide as the base's layer");
  }
}

std::map<std::string, int64_t> keys_and_values(const DeltaBase& base) {
  auto sites = base.key_sites;
  sites.insert(base.value_sites.begin(), base.value_sites.end());
  return sites;
}

// A difference of every key and value layer, as large as the layer.
void check_differences(const Delta& delta, const DeltaBase& base) {
  check_sites(delta, kDifferencePrefix, keys_and_values(base));
  for (const auto& [name, tensor] : delta.tensors) {
    if (tensor.size(-1) != base.text_width)
      throw Error(Code::corrupt, delta.placeholder + ": " + name + " is not as wide as the base's text encoding", name);
  }
}

EditSet infusion_edits(const Delta& delta, const DeltaBase& base) {
  EditSet set;
  set.tokens.push_back({delta.placeholder, Tensor(), delta.class_word});
  const bool parity = has_key_residuals(delta);
  const auto add = [&](const char* prefix, const std::map<std::string, int64_t>& sites) {
    for (const auto& [site, out] : sites) {
      set.sites[site].residual.push_back({delta.tensors.at(prefix + site), {}, delta.placeholder, !parity});
    }
  };
  add(kValueResidualPrefix, base.value_sites);
  if (parity) add(kKeyResidualPrefix, base.key_sites);
  return set;
}

}  // namespace

const std::vector<std::string>& delta_methods() {
  static const std::vector<std::string> g_methods{"perfusion", "textual_inversion", "infusion",
                                                  "lora",      "custom_diffusion",  "tuning_encoder"};
  return g_methods;
}

DeltaBase DeltaBase::of(const ModelBundle& bundle, const TokenCovariance* covariance) {
  DeltaBase base{.fingerprint = bundle.fingerprint,
                 .text_encoder_digest = parameter_digest(*bundle.text_encoder),
                 .text_width = bundle.text_encoder->config.hidden_size,
                 .covariance = covariance};
  for (const auto& item : bundle.denoiser().named_modules("", false)) {
    const auto* layer = dynamic_cast<const AdaptedLinearImpl*>(item.value().get());
    if (!layer) continue;
    for (const auto* suffix : {".to_q", ".to_k", ".to_v", ".to_out.0"}) {
      if (item.key().ends_with(suffix)) base.projections[item.key()] = {layer->weight.size(0), layer->weight.size(1)};
    }
    if (item.key().ends_with(".attn2.to_k")) base.key_sites[item.key()] = layer->weight.size(0);
    if (item.key().ends_with(".attn2.to_v")) base.value_sites[item.key()] = layer->weight.size(0);
  }
  return base;
}

std::string delta_bytes(const Delta& delta, torch::ScalarType dtype) {
  const Refuse refuse{Code::invalid, delta.placeholder};
  if (dtype != torch::kFloat && dtype != torch::kHalf) throw refuse("the document", "is stored as F32 or F16 only");
  check_fields(delta, refuse);
  auto stored = delta;
  const auto kept = delta.compact ? torch::kFloat : dtype;
  for (auto& [name, tensor] : stored.tensors) tensor = tensor.detach().to(torch::kCPU, kept).contiguous();
  check_tensors(stored, refuse);  // after the conversion: a large number is infinite in F16
  auto metadata = fields_of(delta);
  if (delta.compact) metadata[kSitesField] = pack(stored.tensors, refuse);
  for (const auto& [key, value] : delta.notes) {
    if (!metadata.emplace(key, value).second) throw refuse(key, "is written by the format itself");
  }
  if (!delta.compact) {
    for (const auto& field : courtesy_of(delta)) metadata.insert(field);
  }
  return safetensors_bytes(stored.tensors, metadata);
}

Delta parse_delta(std::string bytes, const std::string& what) {
  if (bytes.size() > kDeltaBytesMax) throw Error(Code::exhausted, what + ": a delta holds at most 64 MiB");
  const auto file = SafetensorsFile::parse(std::move(bytes), what);
  const Refuse refuse{Code::corrupt, what};
  const auto& metadata = file.metadata();
  const auto format = metadata.find("conceptd.format");
  if (format == metadata.end()) throw Error(Code::invalid, what + ": a safetensors file, but not a delta of conceptd");
  if (format->second != kFormat) {
    throw Error(Code::invalid, what + ": written in format " + format->second.substr(0, 16) +
                                   ", this program reads format " + kFormat + "; a newer conceptd is needed");
  }
  const FieldReader fields(metadata, refuse);
  Delta delta;
  delta.method = fields.text("conceptd.method");
  check_method(delta, refuse);
  delta.class_word = fields.text("conceptd.class_word");
  delta.placeholder = fields.text("conceptd.placeholder");
  delta.base_fingerprint = fields.digest("conceptd.base_digest");
  delta.text_encoder_digest = fields.digest("conceptd.text_encoder_digest");
  delta.covariance_digest = fields.digest("conceptd.covariance_digest");
  delta.bias = fields.number("conceptd.gate_bias", delta.bias);
  delta.temperature = fields.number("conceptd.gate_temperature", delta.temperature);
  if (is_tuning_encoder(delta))
    delta.hard_word = fields.text("conceptd.hard_word"), delta.alpha = fields.number("conceptd.alpha", -1);
  delta.settings = fields.json("conceptd.settings");
  delta.compact = is_infusion(delta) && metadata.contains(kSitesField);
  check_fields(delta, refuse);
  const auto own = fields_of(delta), courtesy = courtesy_of(delta);
  for (const auto& [key, value] : metadata) {
    const auto it = courtesy.find(key);
    if (delta.compact && key == kSitesField) continue;
    if (!own.contains(key) && (it == courtesy.end() || it->second != value)) delta.notes.emplace(key, value);
  }
  check_fields(delta, refuse);
  if (delta.compact) {
    delta.tensors = unpacked(file, fields.text(kSitesField), refuse);
    check_tensors(delta, refuse);
    return delta;
  }
  torch::ScalarType dtype = torch::ScalarType::Undefined;
  for (const auto& name : file.names()) {
    const auto tensor = file.tensor(name);
    if (dtype == torch::ScalarType::Undefined) dtype = tensor.scalar_type();
    if (tensor.scalar_type() != dtype || (dtype != torch::kFloat && dtype != torch::kHalf)) {
      throw refuse(name.substr(0, 200), "is not stored as the others, F32 or F16");
    }
    delta.tensors.emplace(name, tensor.to(torch::kFloat));
  }
  check_tensors(delta, refuse);
  return delta;
}

void check_delta(const Delta& delta, const DeltaBase& base) {
  const auto conflict = [&](const std::string& why) { return Error(Code::conflict, delta.placeholder + ": " + why); };
  if (delta.base_fingerprint != base.fingerprint) {
    throw conflict("learnt on base " + delta.base_fingerprint.short_hex() + ", the base in use is " +
                   base.fingerprint.short_hex() + "; learn it again on this base, or start with that one");
  }
  if (delta.text_encoder_digest != Digest() && delta.text_encoder_digest != base.text_encoder_digest) {
    throw conflict("learnt with another text encoder than the base has; learn it again on this base");
  }
  for (const auto* name : {kWordTensor, kInputTensor}) {
    const auto it = delta.tensors.find(name);
    if (it != delta.tensors.end() && it->second.size(-1) != base.text_width) {
      throw Error(Code::corrupt, delta.placeholder + ": " + name + " is not as wide as the base's text encoding", name);
    }
  }
  if (is_infusion(delta)) {
    check_sites(delta, kValueResidualPrefix, base.value_sites);
    if (has_key_residuals(delta)) check_sites(delta, kKeyResidualPrefix, base.key_sites);
  }
  if (is_lora(delta) || is_tuning_encoder(delta)) check_adapters(delta, base.projections);
  if (is_custom_diffusion(delta)) check_differences(delta, base);
  if (!is_perfusion(delta)) return;
  if (!base.covariance) {
    throw conflict("needs the base's token covariance (perfusion/covariance.safetensors), which is not there");
  }
  if (base.covariance->digest() != delta.covariance_digest) {
    throw conflict("learnt with token covariance " + delta.covariance_digest.short_hex() + ", the base has " +
                   base.covariance->digest().short_hex() + "; put that file back, or learn the concept again");
  }
  check_sites(delta, kKeyPrefix, base.key_sites);
  check_sites(delta, kValuePrefix, base.value_sites);
}

EditSet delta_edits(const Delta& delta, const DeltaBase& base, const GateChoice& gate) {
  check_delta(delta, base);
  if (is_infusion(delta)) return infusion_edits(delta, base);
  EditSet set;
  set.tokens.push_back(
      {delta.placeholder, delta.tensors.at(kWordTensor), is_perfusion(delta) ? delta.class_word : std::string()});
  for (const auto& [site, widths] : base.projections) {
    const auto down = delta.tensors.find(kDownPrefix + site);
    if (down != delta.tensors.end())
      set.sites[site].low_rank.push_back(
          {down->second, delta.tensors.at(kUpPrefix + site), 1, is_tuning_encoder(delta)});
  }
  if (is_tuning_encoder(delta))
    set.hard = HardPath{.alpha = delta.alpha, .words = {{delta.placeholder, delta.hard_word}}};
  if (is_custom_diffusion(delta)) {
    for (const auto& [site, out] : keys_and_values(base))
      set.sites[site].low_rank.push_back({Tensor(), delta.tensors.at(kDifferencePrefix + site)});
  }
  if (!is_perfusion(delta)) return set;
  const auto& input = delta.tensors.at(kInputTensor);
  const auto key = base.covariance->key_of(input);
  if (!key.isfinite().all().item<bool>()) {
    throw Error(Code::corrupt, delta.placeholder + ": " + kInputTensor + " is no direction of the text encoding",
                kInputTensor);
  }
  const double bias = gate.bias.value_or(delta.bias), temperature = gate.temperature.value_or(delta.temperature);
  if (!(std::abs(bias) <= 1e3)) throw Error(Code::invalid, "the gate's bias must lie in -1000..1000", "bias");
  if (!(temperature >= 1e-3 && temperature <= 1e3)) {
    throw Error(Code::invalid, "the gate's temperature must lie in 0.001..1000", "temperature");
  }
  for (const auto* prefix : {kKeyPrefix, kValuePrefix}) {
    for (const auto& [site, out] : prefix == kKeyPrefix ? base.key_sites : base.value_sites) {
      set.sites[site].rank_one.push_back({input, key, delta.tensors.at(prefix + site), bias, temperature});
    }
  }
  return set;
}

}  // namespace conceptd::diffusion
