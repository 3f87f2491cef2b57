#include "learner/pretrain/grow.h"

#include <set>

#include "core/error.h"
#include "diffusion/safetensors.h"

namespace conceptd::pretrain {
using torch::Tensor;

namespace {
using Weights = std::map<std::string, Tensor>;

int64_t layers_in(const Weights& weights, const std::string& level) {
  int64_t layers = 0;
  while (weights.contains(level + "resnets." + std::to_string(layers) + ".conv1.weight")) ++layers;
  return layers;
}

void pass_through(diffusion::ResnetBlock2DImpl& resnet) {
  resnet.conv2->weight.zero_(), resnet.conv2->bias.zero_();
  if (!resnet.conv_shortcut) return;  // in: what comes from below, then the skip
  resnet.conv_shortcut->weight.zero_(), resnet.conv_shortcut->bias.zero_();
  for (int64_t k = 0; k < resnet.conv_shortcut->weight.size(0); ++k) resnet.conv_shortcut->weight[k][k].fill_(1);
}

// Renames one level's keys from their old places to their new ones and makes the blocks between them pass through.
template <class Block>
void grow_level(Weights& weights, Block& block, const std::string& level, int64_t first_new) {
  const auto before = layers_in(weights, level), after = static_cast<int64_t>(block.resnets->size());
  if (before > after) throw Error(Code::corrupt, level + "resnets are more than the grown model has");
  const auto more = after - before;
  for (int64_t k = before - 1; k >= first_new && more > 0; --k) {
    for (const char* kind : {"resnets.", "attentions."}) {
      const auto from = level + kind + std::to_string(k) + ".", to = level + kind + std::to_string(k + more) + ".";
      std::vector<std::string> keys;
      for (const auto& [key, value] : weights)
        if (key.starts_with(from)) keys.push_back(key);
      for (const auto& key : keys) weights[to + key.substr(from.size())] = weights.extract(key).mapped();
    }
  }
  for (int64_t k = first_new; k < first_new + more; ++k) {
    const auto at = static_cast<std::size_t>(k);
    pass_through(block.resnets->template at<diffusion::ResnetBlock2DImpl>(at));
    if (!block.attentions) continue;
    auto& projection = block.attentions->template at<diffusion::Transformer2DModelImpl>(at).proj_out;
    projection->weight.zero_(), projection->bias.zero_();
  }
}
}  // namespace

void load_grown(const std::filesystem::path& file, diffusion::UNet2DConditionModel& grown) {
  torch::NoGradGuard frozen;
  Weights weights;
  for (auto& [key, value] : diffusion::load_safetensors(file)) weights[key] = value;
  for (std::size_t level = 0; level < grown->down_blocks->size(); ++level) {
    const auto name = std::to_string(level) + ".";
    auto& down = grown->down_blocks->at<diffusion::UNetDownBlockImpl>(level);
    grow_level(weights, down, "down_blocks." + name, layers_in(weights, "down_blocks." + name));
    grow_level(weights, grown->up_blocks->at<diffusion::UNetUpBlockImpl>(level), "up_blocks." + name, 1);
  }
  std::set<std::string> used;
  const auto is_new = [&](const std::string& key) {
    return key.find("resnets.") != key.npos || key.find("attentions.") != key.npos;
  };
  for (auto& item : grown->named_parameters()) {
    const auto found = weights.find(item.key());
    if (found != weights.end()) {
      item.value().copy_(found->second), used.insert(item.key());
    } else if (!is_new(item.key())) {
      throw Error(Code::corrupt, file.string() + " lacks '" + item.key() + "'");
    }
  }
  for (const auto& [key, value] : weights) {
    if (!used.contains(key)) throw Error(Code::corrupt, file.string() + " has '" + key + "', which has no place");
  }
}

}  // namespace conceptd::pretrain
