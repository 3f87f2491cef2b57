#include "learner/pretrain/grow.h"

#include "core/error.h"
#include "learner/pretrain/checkpoint.h"

namespace conceptd::pretrain {
using diffusion::TensorMap;

namespace {
int64_t layers_in(const TensorMap& weights, const std::string& level) {
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

// Renames one level's keys from their old places to their new ones, makes the blocks between them pass through, and
// adds these blocks' own values to the weights.
template <class Block>
void grow_level(TensorMap& weights, Block& block, const std::string& level, int64_t first_new) {
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
  const auto keep_own = [&](torch::nn::Module& made, const std::string& name) {
    for (const auto& item : made.named_parameters()) weights[level + name + item.key()] = item.value();
  };
  for (int64_t k = first_new; k < first_new + more; ++k) {
    const auto at = static_cast<std::size_t>(k);
    auto& resnet = block.resnets->template at<diffusion::ResnetBlock2DImpl>(at);
    pass_through(resnet);
    keep_own(resnet, "resnets." + std::to_string(k) + ".");
    if (!block.attentions) continue;
    auto& attention = block.attentions->template at<diffusion::Transformer2DModelImpl>(at);
    attention.proj_out->weight.zero_(), attention.proj_out->bias.zero_();
    keep_own(attention, "attentions." + std::to_string(k) + ".");
  }
}
}  // namespace

void load_grown(const std::filesystem::path& file, diffusion::UNet2DConditionModel& grown) {
  torch::NoGradGuard frozen;
  auto weights = diffusion::load_safetensors(file);
  for (std::size_t level = 0; level < grown->down_blocks->size(); ++level) {
    const auto down = "down_blocks." + std::to_string(level) + ".", up = "up_blocks." + std::to_string(level) + ".";
    grow_level(weights, grown->down_blocks->at<diffusion::UNetDownBlockImpl>(level), down, layers_in(weights, down));
    grow_level(weights, grown->up_blocks->at<diffusion::UNetUpBlockImpl>(level), up, 1);
  }
  copy_weights(std::move(weights), file.string(), *grown);
}

}  // namespace conceptd::pretrain
