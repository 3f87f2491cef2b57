#include "diffusion/model_bundle.h"

#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/file_io.h"
#include "diffusion/config_reader.h"
#include "diffusion/schedulers/scheduler.h"
#include "diffusion/weights.h"

namespace conceptd::diffusion {
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kConfigBytesMax = 1u << 20;

// What a model_index.json may name: the classes we are, and whether we can do without.
struct Component {
  const char* name;
  std::vector<std::string> classes;
  bool required;
};
const std::vector<Component>& components() {
  static const std::vector<Component> g_components{
      {"unet", {"UNet2DConditionModel"}, false},
      {"transformer", {"FluxTransformer2DModel"}, false},
      {"vae", {"AutoencoderKL"}, true},
      {"text_encoder", {"CLIPTextModel", "CLIPTextModelWithProjection"}, true},
      {"tokenizer", {"CLIPTokenizer", "CLIPTokenizerFast"}, true},
      {"scheduler", {}, true},
      {"image_encoder", {"CLIPVisionModelWithProjection"}, false},
      {"feature_extractor", {"CLIPImageProcessor", "CLIPFeatureExtractor"}, false},
  };
  return g_components;
}

// Runs `load` so that its errors name the folder, as corrupt: these files are stored, not sent.
template <class Load>
auto naming(const fs::path& folder, Load load) {
  try {
    return load();
  } catch (const Error& e) {
    const auto code = e.code() == Code::invalid || e.code() == Code::exhausted ? Code::corrupt : e.code();
    const std::string what = e.what();
    throw Error(code, what.find(folder.string()) == what.npos ? folder.string() + ": " + what : what, e.field());
  }
}

class Folder {
 public:
  Folder(fs::path path, std::vector<std::string>& warnings) : path_(std::move(path)), warnings_(warnings) {
    if (!fs::is_directory(path_)) throw Error(Code::not_found, "there is no base model folder " + path_.string());
    naming(path_, [&] { check_index(json("model_index.json")); });
  }

  bool has(const std::string& component) const {
    return std::find(present_.begin(), present_.end(), component) != present_.end();
  }
  fs::path at(const std::string& component) const { return path_ / component; }

  Json json(const std::string& name) const { return parse_json(read_file(path_ / name, kConfigBytesMax), name); }

  template <class Config>
  auto config(const std::string& component) {
    return naming(path_, [&] {
      const auto found = json(component + "/config.json");
      digests_.push_back(component + " config " + canonical(found).hex());
      return Config::from_json(found);
    });
  }

  SafetensorsFile weights(const std::string& component, const std::string& stem) {
    for (const auto& name : {stem + ".safetensors", stem + ".fp16.safetensors"}) {
      if (!fs::exists(at(component) / name)) continue;
      auto file = SafetensorsFile::open(at(component) / name);
      digests_.push_back(component + " weights " + tensor_digest(file).hex());
      return file;
    }
    const bool pickle = fs::exists(at(component) / (stem + ".bin")) || fs::exists(at(component) / "pytorch_model.bin");
    const bool shards = fs::exists(at(component) / (stem + ".safetensors.index.json"));
    throw Error(Code::not_found, (at(component) / (stem + ".safetensors")).string() + " is not there" +
                                     (pickle   ? "; pickled weights (.bin) are not read, convert them to safetensors"
                                      : shards ? "; weights in several files are not read, join them"
                                               : ""));
  }

  void digest_json(const std::string& label, const Json& json) {
    digests_.push_back(label + " " + canonical(json).hex());
  }
  void digest_file(const std::string& component, const std::string& name) {
    const auto path = at(component) / name;
    if (fs::exists(path)) digests_.push_back(component + " " + name + " " + Digest::of_file(path).hex());
  }
  Digest fingerprint() const {
    auto lines = digests_;
    std::sort(lines.begin(), lines.end());
    Sha256 sha;
    sha.update("conceptd base 1\n");
    for (const auto& line : lines) sha.update(line + "\n");
    return sha.finish();
  }

 private:
  static Digest canonical(Json json) {  // without notes that change no weight's meaning, such as _diffusers_version
    const std::set<std::string> notes{"sample_size", "torch_dtype", "transformers_version"};
    for (auto at = json.begin(); at != json.end();) {
      const bool note = at.key().starts_with("_") || notes.contains(at.key());
      at = note ? json.erase(at) : std::next(at);
    }
    return Digest::of(json.dump(-1, ' ', false, Json::error_handler_t::replace));
  }

  static Error refuse(const std::string& name, const std::string& why) {
    return Error(Code::corrupt, "model_index.json: " + why, name);
  }

  void check_index(const Json& index) {
    if (!index.is_object()) throw refuse({}, "not a JSON object");
    for (const auto& [name, value] : index.items()) {
      const auto known = std::find_if(components().begin(), components().end(),
                                      [&key = name](const Component& c) { return key == c.name; });
      if (known != components().end()) check_component(*known, value);
      if (known != components().end() || !value.is_array() || value.empty() || value[0].is_null()) continue;
      if (name != "safety_checker") {
        throw refuse(name, "'" + name + "' is a component that is not supported");
      }
      warnings_.push_back("the base's safety_checker is not loaded");
    }
    for (const auto& component : components()) {
      if (component.required && !has(component.name)) {
        throw refuse(component.name, std::string("there is no '") + component.name + "'");
      }
    }
    if (has("unet") == has("transformer"))
      throw refuse("unet", has("unet") ? "there are both a 'unet' and a 'transformer'"
                                       : "there is no 'unet', and no 'transformer'");
  }

  void check_component(const Component& component, const Json& value) {
    if (!value.is_array() || value.size() != 2) {
      throw refuse(component.name, std::string("'") + component.name + "' is not a pair");
    }
    if (value[1].is_null()) return;
    const auto& classes = component.classes;
    if (!value[1].is_string() ||
        (!classes.empty() && std::find(classes.begin(), classes.end(), value[1].get<std::string>()) == classes.end())) {
      throw refuse(component.name, std::string("'") + component.name + "' is a " +
                                       value[1].dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 100) +
                                       "; only " + classes[0] + " is supported");
    }
    present_.emplace_back(component.name);
  }

  fs::path path_;
  std::vector<std::string>& warnings_;
  std::vector<std::string> present_, digests_;
};

// The part of a scheduler's configuration that the network was trained with; the rest is a choice at sampling.
Json training_schedule(const Json& config) {
  Json schedule = Json::object();
  for (const char* key : {"beta_end", "beta_schedule", "beta_start", "num_train_timesteps", "prediction_type",
                          "rescale_betas_zero_snr", "trained_betas"}) {
    if (config.contains(key) && !config[key].is_null()) schedule[key] = config[key];
  }
  return schedule;
}

GenerationDefaults generation_defaults(const Json& json) {
  ConfigReader reader(json, "generation.json");
  GenerationDefaults defaults;
  defaults.steps = reader.integer("num_inference_steps", 1, 1000, defaults.steps);
  defaults.guidance = reader.number("guidance_scale", 0, 100, defaults.guidance);
  reader.finish();
  return defaults;
}

LearningDefaults learning_defaults(const Json& json) {
  const auto refuse = [](const std::string& why) {
    throw Error(Code::invalid, "learning.json: " + why, "learning.json");
  };
  LearningDefaults learning;
  const auto places = json.is_object() ? json.value("places", Json::array()) : Json();
  if (!json.is_object() || !json.contains("templates") ||
      json.size() != 1 + json.count("places") + json.count("min_snr") || !json["templates"].is_array() ||
      !places.is_array())
    refuse("it holds a list of templates, may hold one of places and a min_snr, and nothing else");
  for (const auto& item : json["templates"]) {
    const std::string text = item.is_string() ? item.get<std::string>() : "";
    if (text.find("{}") == std::string::npos || text.find("{}") != text.rfind("{}"))
      refuse("a template is a text with one {} in it");
    learning.templates.push_back(text);
  }
  for (const auto& item : places) {
    if (!item.is_string() || item.get<std::string>().find("{}") != std::string::npos)
      refuse("a place is a text without {} in it");
    learning.places.push_back(item);
  }
  const auto min_snr = json.value("min_snr", Json(0));
  if (!min_snr.is_number() || !(min_snr.get<double>() >= 0 && min_snr.get<double>() <= 1e6))
    refuse("min_snr is a number within 0..1000000");
  learning.min_snr = min_snr;
  return learning;
}

void check_fit(const ModelBundle& bundle) {
  const auto& text = bundle.text_encoder->config;
  const auto expect = [&](bool fits, const std::string& why) {
    if (!fits) throw Error(Code::corrupt, bundle.folder.string() + ": " + why);
  };
  const auto expect_text_width = [&](const std::string& field, int64_t width) {
    expect(width == text.hidden_size, field + " " + std::to_string(width) + " is not text_encoder's hidden_size " +
                                          std::to_string(text.hidden_size));
  };
  const auto latent_channels = bundle.vae->config.latent_channels;
  if (bundle.unet) {
    expect_text_width("unet's cross_attention_dim", bundle.unet->config.cross_attention_width);
    expect(bundle.unet->config.in_channels == latent_channels, "unet's in_channels is not vae's latent_channels");
  } else {
    expect_text_width("transformer's joint_attention_dim", bundle.transformer->config.joint_attention_dim);
    expect_text_width("transformer's pooled_projection_dim", bundle.transformer->config.pooled_projection_dim);
    expect(bundle.transformer->config.in_channels == 4 * latent_channels,
           "transformer's in_channels is not four times vae's latent_channels");
  }
  expect(is_flow_schedule(bundle.scheduler_config) == !bundle.unet,
         std::string("the scheduler of a ") + (bundle.unet ? "unet is not " : "transformer is ") + kFlowMatchClass);
  expect(bundle.tokenizer.vocab_size() <= text.vocab_size, "the tokenizer has more tokens than text_encoder's table");
  expect(bundle.tokenizer.context_length() <= text.max_position_embeddings,
         "the tokenizer's model_max_length is above text_encoder's max_position_embeddings");
}

}  // namespace

ModelBundle ModelBundle::open(const fs::path& path, const BundleOptions& options) {
  std::vector<std::string> warnings;
  Folder folder(path, warnings);
  ModelBundle bundle{
      .folder = path, .compute = options.compute, .tokenizer = ClipTokenizer::open(folder.at("tokenizer"))};
  for (const char* name : {"vocab.json", "merges.txt", "special_tokens_map.json"})
    folder.digest_file("tokenizer", name);

  bundle.text_encoder = ClipTextModel(folder.config<ClipTextConfig>("text_encoder"));
  load_weights(*bundle.text_encoder, folder.weights("text_encoder", "model"));
  if (folder.has("unet")) {
    bundle.unet = UNet2DConditionModel(folder.config<UNetConfig>("unet"));
    load_weights(*bundle.unet, folder.weights("unet", "diffusion_pytorch_model"), {.dtype = options.compute});
  } else {
    bundle.transformer = FluxTransformer2DModel(folder.config<FluxConfig>("transformer"));
    load_weights(*bundle.transformer, folder.weights("transformer", "diffusion_pytorch_model"),
                 {.dtype = options.compute});
  }
  bundle.vae = AutoencoderKL(folder.config<AutoencoderKLConfig>("vae"));
  load_weights(*bundle.vae, folder.weights("vae", "diffusion_pytorch_model"),
               {.dtype = options.compute,
                .renames = {{"query", "to_q"}, {"key", "to_k"}, {"value", "to_v"}, {"proj_attn", "to_out.0"}}});
  if (folder.has("image_encoder")) {
    bundle.image_encoder = ClipVisionModel(folder.config<ClipVisionConfig>("image_encoder"));
    load_weights(*bundle.image_encoder, folder.weights("image_encoder", "model"));
    bundle.preprocess = ClipPreprocess::for_size(bundle.image_encoder->config.image_size);
  }
  const std::string preprocess_path = "feature_extractor/preprocessor_config.json";
  if (folder.has("image_encoder") && folder.has("feature_extractor") && fs::exists(path / preprocess_path)) {
    bundle.preprocess = naming(path, [&] { return ClipPreprocess::from_json(folder.json(preprocess_path)); });
  }
  bundle.scheduler_config = naming(path, [&] {
    const std::string name = "scheduler/scheduler_config.json";
    return parse_scheduler_config(read_file(path / name, kConfigBytesMax), name);
  });
  folder.digest_json("schedule", training_schedule(bundle.scheduler_config));
  if (fs::exists(path / "generation.json"))
    bundle.defaults = naming(path, [&] { return generation_defaults(folder.json("generation.json")); });
  if (fs::exists(path / "learning.json"))
    bundle.learning = naming(path, [&] { return learning_defaults(folder.json("learning.json")); });
  bundle.fingerprint = folder.fingerprint();
  bundle.warnings = std::move(warnings);
  check_fit(bundle);
  return bundle;
}

const torch::nn::Module& ModelBundle::denoiser() const {
  if (unet) return *unet;
  return *transformer;
}

int64_t ModelBundle::picture_side() const {
  if (transformer) return vae->config.sample_size;  // its own configuration does not say
  return unet->config.sample_size << (vae->config.block_out_channels.size() - 1);
}

Digest ModelBundle::parameter_digest() const {
  Sha256 sha;
  sha.update(diffusion::parameter_digest(*text_encoder).raw()).update(diffusion::parameter_digest(denoiser()).raw());
  sha.update(diffusion::parameter_digest(*vae).raw());
  if (image_encoder) sha.update(diffusion::parameter_digest(*image_encoder).raw());
  return sha.finish();
}

}  // namespace conceptd::diffusion
