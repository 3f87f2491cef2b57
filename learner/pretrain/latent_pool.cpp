#include "learner/pretrain/latent_pool.h"

namespace conceptd::pretrain {

void LatentPool::add(int64_t count, world::Random& random, const world::Breadth& breadth) {
  torch::NoGradGuard frozen;
  const auto scenes = draw_scenes(count, random, breadth);
  const auto latents = vae_->encode(render_scenes(scenes)).mean * vae_->config.scaling_factor;
  for (int64_t k = 0; k < count; ++k) {
    auto one = latents[k].to(torch::kHalf).clone();
    if (latents_.size() < capacity_) {
      latents_.push_back(one), scenes_.push_back(scenes[k]);
    } else {
      latents_[next_] = one, scenes_[next_] = scenes[k];
      next_ = (next_ + 1) % capacity_;
    }
  }
}

LatentPool::Batch LatentPool::draw(int64_t count, int64_t fresh, world::Random& random, const world::Breadth& breadth) {
  while (latents_.size() < static_cast<std::size_t>(8 * count)) add(fresh, random, breadth);
  add(fresh, random, breadth);
  Batch batch;
  std::vector<Tensor> chosen;
  for (int64_t k = 0; k < count; ++k) {
    const auto at = random() % latents_.size();
    chosen.push_back(latents_[at]);
    batch.scenes.push_back(scenes_[at]);
  }
  batch.latents = torch::stack(chosen).to(torch::kFloat).contiguous(at::MemoryFormat::ChannelsLast);
  return batch;
}

}  // namespace conceptd::pretrain
