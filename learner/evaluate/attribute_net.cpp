#include "learner/evaluate/attribute_net.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "diffusion/group_norm.h"
#include "learner/pretrain/checkpoint.h"
#include "learner/structure_tensor.h"

namespace conceptd::evaluate {
namespace nn = torch::nn;

namespace {
constexpr int64_t kGroups = 8;
// A pattern is everywhere on a thing and nowhere in particular: the means of finer maps over the quarters of the
// picture tell it, the last map (what stands where) hardly.
constexpr std::pair<int64_t, int64_t> kLayers[]{{24, 1}, {48, 2},  {64, 1},  {96, 2},
                                                {96, 1}, {128, 2}, {128, 1}, {192, 2}};  // channels, stride
constexpr std::array<std::size_t, 3> kFinerMaps{2, 4, 6};
constexpr std::size_t kPatternMap = 4;
constexpr int64_t kFinerChannels = 64 + 96 + 128, kQuarters = 2, kInputs = 3 + learner::kStructureChannels;

int64_t classes_of(int question) {
  switch (question) {
    case kShape:
      return static_cast<int64_t>(world::shape_words().size()) + 1;
    case kFirst:
    case kSecond:
      return static_cast<int64_t>(world::colour_words().size());
    case kPattern:
      return static_cast<int64_t>(world::pattern_words().size());
    default:
      return static_cast<int64_t>(world::badge_words().size());
  }
}
}  // namespace

AttributeNetImpl::AttributeNetImpl() {
  convolutions = register_module("convolutions", nn::ModuleList());
  norms = register_module("norms", nn::ModuleList());
  int64_t in = kInputs;
  for (const auto& [out, stride] : kLayers) {
    convolutions->push_back(nn::Conv2d(nn::Conv2dOptions(in, out, 3).stride(stride).padding(1).bias(false)));
    norms->push_back(nn::GroupNorm(nn::GroupNormOptions(kGroups, out)));
    in = out;
  }
  hidden = register_module("hidden", nn::Linear(192 * 16 + kFinerChannels * kQuarters * kQuarters, 384));
  patterns =
      register_module("patterns", nn::Conv2d(nn::Conv2dOptions(kLayers[kPatternMap].first, classes_of(kPattern), 1)));
  background = register_module("background", nn::Linear(384, static_cast<int64_t>(world::background_words().size())));
  colours = register_module("colours", nn::Linear(384, 6));
  identity = register_module("identity", nn::Linear(384, 64));
  heads = register_module("heads", nn::ModuleList());
  for (int place = 0; place < 2; ++place) {
    for (int question = 0; question < kQuestions; ++question) heads->push_back(nn::Linear(384, classes_of(question)));
  }
}

Answers AttributeNetImpl::forward(const Tensor& pictures) {
  auto maps = torch::cat({pictures, learner::structure_tensor(pictures)}, 1).contiguous(at::MemoryFormat::ChannelsLast);
  Answers answers;
  std::vector<Tensor> read;
  for (std::size_t k = 0; k < convolutions->size(); ++k) {
    const auto& norm = norms->at<nn::GroupNormImpl>(k);
    maps = diffusion::fused_group_norm(convolutions->at<nn::Conv2dImpl>(k).forward(maps), norm.weight, norm.bias,
                                       kGroups, 1e-5, true);
    if (k == kPatternMap) answers.patterns = patterns(maps);
    if (std::find(kFinerMaps.begin(), kFinerMaps.end(), k) != kFinerMaps.end())
      read.push_back(torch::adaptive_avg_pool2d(maps, {kQuarters, kQuarters}).contiguous().flatten(1));
  }
  read.push_back(maps.contiguous().flatten(1));
  const auto x = torch::relu(hidden(torch::cat(read, 1)));
  for (int k = 0; k < 2 * kQuestions; ++k) {
    answers.place[k / kQuestions][k % kQuestions] = heads->at<nn::LinearImpl>(static_cast<std::size_t>(k)).forward(x);
  }
  answers.background = background(x);
  answers.colours = torch::sigmoid(colours(x));
  answers.identity = nn::functional::normalize(identity(x));
  return answers;
}

Truth truth_of(const world::Scene& scene) {
  Truth truth{{{0, -100, -100, -100, -100}, {0, -100, -100, -100, -100}}, scene.background, {}};
  for (std::size_t k = 0; k < std::min<std::size_t>(2, scene.objects.size()); ++k) {
    const auto& i = scene.objects[k].instance;
    auto& row = truth.place[k];
    row[kShape] = i.shape + 1, row[kFirst] = i.first.word, row[kPattern] = i.pattern, row[kBadge] = i.badge;
    row[kSecond] = i.second.word == i.first.word ? -100 : i.second.word;
  }
  if (!scene.objects.empty()) {
    const auto& i = scene.objects[0].instance;
    std::copy_n(i.first.rgb.begin(), 3, truth.colours.begin());
    std::copy_n(i.second.rgb.begin(), 3, truth.colours.begin() + 3);
  }
  return truth;
}

AttributeNet load_attribute_net(const std::filesystem::path& file) {
  AttributeNet net;
  pretrain::load_component(file, *net);
  for (auto& parameter : net->parameters()) parameter.requires_grad_(false);
  return net;
}

}  // namespace conceptd::evaluate
