#include "learner/pretrain/towers.h"

#include "learner/world/world.h"

namespace conceptd::pretrain {
namespace {

diffusion::ClipTextConfig text_tower(const CaptionCodec& codec) {
  diffusion::ClipTextConfig c;
  c.vocab_size = codec.size(), c.max_position_embeddings = kContext;
  c.hidden_size = 128, c.intermediate_size = 512, c.num_hidden_layers = 2, c.num_attention_heads = 4;
  c.projection_dim = 128, c.with_projection = true;
  c.bos_token_id = codec.start(), c.eos_token_id = codec.end(), c.pad_token_id = codec.end();
  return c;
}

diffusion::ClipVisionConfig image_tower() {
  diffusion::ClipVisionConfig c;
  c.image_size = world::kSide, c.patch_size = 8;
  c.hidden_size = 128, c.intermediate_size = 512, c.num_hidden_layers = 3, c.num_attention_heads = 4;
  c.projection_dim = 128;
  return c;
}

}  // namespace

Towers::Towers(const std::string& vocab_json) : codec(vocab_json), text(text_tower(codec)), image(image_tower()) {}

Tensor Towers::of_pictures(const Tensor& pictures) {
  diffusion::Adaptation base;
  return torch::nn::functional::normalize(image(pictures.contiguous(), base).image_embeds);
}

Tensor Towers::of_captions(const std::vector<std::string>& captions) {
  diffusion::Adaptation base;
  return torch::nn::functional::normalize(text->forward(codec.encode(captions), base).text_embeds);
}

}  // namespace conceptd::pretrain
