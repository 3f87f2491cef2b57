#include "learner/tuning_encoder/encoder.h"

#include "core/error.h"
#include "core/file_io.h"
#include "diffusion/blocks.h"
#include "diffusion/config_reader.h"
#include "diffusion/weights.h"
#include "learner/structure_tensor.h"

namespace conceptd::learner {
namespace nn = torch::nn;
namespace fs = std::filesystem;

namespace {
constexpr std::uint64_t kConfigBytesMax = 1u << 20;
constexpr double kWordScale = .1, kFuseSlope = .1, kHeadSlope = .01;
constexpr int64_t kGroups = 8;
constexpr std::size_t kLevels = 4;
struct Layer {
  int64_t channels, stride;
};
constexpr Layer kLayers[]{{32, 2}, {64, 2}, {64, 1}, {96, 2}, {96, 1}, {128, 2}, {128, 1}};
constexpr std::size_t kLevelEnds[kLevels]{0, 2, 4, 6};  // layers after which a level is looked at

// Things stand in the middle: of everything, and of the middle half. (b, d, s, s) -> (b, 2 d)
Tensor pooled(const Tensor& x) {
  const auto s = x.size(2), edge = s / 4;
  return torch::cat({x.mean({2, 3}), x.slice(2, edge, s - edge).slice(3, edge, s - edge).mean({2, 3})}, 1);
}
}  // namespace

std::vector<EditedSite> edited_sites(const diffusion::DeltaBase& base) {
  std::vector<EditedSite> sites;
  for (const auto& [path, widths] : base.projections) {
    if (!path.ends_with(".to_out.0")) sites.push_back({path, widths.in, widths.out});
  }
  return sites;
}

EncoderConfig EncoderConfig::from_json(const Json& json, const std::string& what) {
  diffusion::ConfigReader reader(json, what);
  EncoderConfig config;
  config.base = Digest::parse(reader.text("base", ""));
  config.words = reader.texts("words");
  if (config.words.empty()) throw reader.refuse("words", "is empty");
  config.width = reader.integer("width", 1, 4096), config.code = reader.integer("code", 1, 4096);
  config.rank = reader.integer("rank", 1, 128);
  reader.finish();
  return config;
}

Json EncoderConfig::to_json() const {
  return {{"base", base.tagged()}, {"words", words}, {"width", width}, {"code", code}, {"rank", rank}};
}

diffusion::EditSet soft_edits(const Prediction& prediction, const std::vector<EditedSite>& sites) {
  diffusion::EditSet set;
  int64_t read = 0, written = 0;
  for (const auto& site : sites) {
    set.sites[site.path].low_rank.push_back({.down = prediction.down.slice(-1, read, read + site.in),
                                             .up = prediction.up.slice(-2, written, written + site.out),
                                             .soft = true});
    read += site.in, written += site.out;
  }
  return set;
}

TuningEncoderImpl::TuningEncoderImpl(EncoderConfig config_, const std::vector<EditedSite>& sites,
                                     const std::vector<int64_t>& unet_widths, int64_t text_width)
    : config(std::move(config_)) {
  int64_t in = 3 + kStructureChannels, all_in = 0, all_out = 0;
  convolutions = register_module("convolutions", nn::ModuleList());
  norms = register_module("norms", nn::ModuleList());
  for (const auto& [channels, stride] : kLayers) {
    convolutions->push_back(diffusion::conv3x3(in, channels, stride));
    norms->push_back(nn::GroupNorm(nn::GroupNormOptions(kGroups, channels)));
    in = channels;
  }
  of_picture = register_module("of_picture", nn::ModuleList());
  for (const auto end : kLevelEnds) of_picture->push_back(nn::Linear(2 * kLayers[end].channels, config.width));
  of_denoiser = register_module("of_denoiser", nn::ModuleList());
  for (const auto width : unet_widths) of_denoiser->push_back(nn::Linear(width, config.width));
  fuse = register_module("fuse", nn::Linear(config.width, config.width));
  to_word = register_module("to_word", nn::Linear(config.width, text_width));
  to_code = register_module("to_code", nn::Linear(config.width, config.code));
  for (const auto& site : sites) all_in += site.in, all_out += site.out;
  const auto rank = config.rank;
  first_down = register_parameter("first_down", torch::randn({rank, all_in}) / static_cast<double>(rank));
  const auto from_code = [&](const char* name, int64_t values) {
    auto layer = register_module(name, nn::Linear(nn::LinearOptions(config.code, rank * values).bias(false)));
    const torch::NoGradGuard no_grad;
    layer->weight.zero_();
    return layer;
  };
  to_down = from_code("to_down", all_in), to_up = from_code("to_up", all_out);
}

Prediction TuningEncoderImpl::forward(const Tensor& photos, const std::vector<Tensor>& levels, const Tensor& middle) {
  auto x = torch::cat({photos, structure_tensor(photos)}, 1);
  std::vector<Tensor> seen;
  for (std::size_t k = 0, level = 0; k < convolutions->size(); ++k) {
    auto& conv = convolutions->at<nn::Conv2dImpl>(k);
    x = conv.forward(x.contiguous(at::MemoryFormat::ChannelsLast));
    auto norm = std::dynamic_pointer_cast<nn::GroupNormImpl>(norms->ptr(k));
    nn::GroupNorm holder(norm);
    x = diffusion::group_norm_silu(x, holder);
    if (k == kLevelEnds[level]) seen.push_back(of_picture->at<nn::LinearImpl>(level++).forward(pooled(x)));
  }
  for (std::size_t k = 0; k < levels.size(); ++k) seen.push_back(of_denoiser->at<nn::LinearImpl>(k).forward(levels[k]));
  const auto f = fuse(torch::leaky_relu(torch::stack(seen, 1), kFuseSlope).mean(1));  // (b, F)
  const auto b = f.size(0), rank = config.rank;
  const auto code = torch::leaky_relu(to_code(f), kHeadSlope);
  return {.word = middle + kWordScale * to_word(torch::leaky_relu(f, kHeadSlope)),
          .down = first_down + to_down(code).view({b, rank, -1}),
          .up = to_up(code).view({b, -1, rank})};
}

fs::path EncoderBundle::beside(const fs::path& base_folder) {
  const auto folder = fs::absolute(base_folder / "").lexically_normal().parent_path();
  return folder.parent_path() / (folder.filename().string() + "-encoder");
}

EncoderBundle EncoderBundle::open(const fs::path& folder, const diffusion::ModelBundle& bundle) {
  if (!fs::is_directory(folder)) throw Error(Code::not_found, "there is no tuning-encoder in " + folder.string());
  try {
    const auto file = folder / "config.json";
    const auto text = read_file(file, kConfigBytesMax);
    const auto config = EncoderConfig::from_json(parse_json(text, file.string()), file.string());
    if (config.base != bundle.fingerprint)
      throw Error(Code::conflict, "it was trained for base " + config.base.short_hex() + ", the base in use is " +
                                      bundle.fingerprint.short_hex());
    EncoderBundle found;
    found.sites = edited_sites(diffusion::DeltaBase::of(bundle, nullptr));
    const auto text_width = bundle.text_encoder->config.hidden_size;
    found.encoder = TuningEncoder(config, found.sites, bundle.unet->config.block_out_channels, text_width);
    diffusion::load_weights(*found.encoder, diffusion::SafetensorsFile::open(folder / "encoder.safetensors"));
    found.words = word_rows(bundle, config.words);
    found.others = diffusion::SafetensorsFile::open(folder / "others.safetensors").tensor("words").to(torch::kFloat);
    if (found.others.dim() != 2 || found.others.size(1) != text_width)
      throw Error(Code::corrupt, "others.safetensors holds no words of this base");
    return found;
  } catch (const Error& error) {
    throw Error(error.code() == Code::invalid ? Code::corrupt : error.code(),
                "the tuning-encoder in " + folder.string() + ": " + error.what(), error.field());
  }
}

Tensor word_rows(const diffusion::ModelBundle& bundle, const std::vector<std::string>& words) {
  std::vector<int64_t> ids;
  for (const auto& word : words) {
    if (!bundle.tokenizer.is_single_token(word)) throw Error(Code::invalid, "'" + word + "' is not one token", "words");
    ids.push_back(bundle.tokenizer.token_ids(word).at(0));
  }
  const auto& table = bundle.text_encoder->text_model->embeddings->token_embedding->weight;
  return table.detach().to(torch::kFloat).index_select(0, torch::tensor(ids));
}

}  // namespace conceptd::learner
