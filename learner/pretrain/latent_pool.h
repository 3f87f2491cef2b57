// A worker's stock of scenes with their latents. Every batch brings a few fresh scenes, which replace old ones, and
// draws the rest from the stock: rendering and encoding cost little, and a scene is seen a handful of times, each time
// with another caption and other noise.
#pragma once
#include "diffusion/autoencoder_kl.h"
#include "learner/pretrain/scenes.h"

namespace conceptd::pretrain {

class LatentPool {
 public:
  struct Batch {
    Tensor latents;  // (b, c, s, s), scaled to about unit variance
    std::vector<world::Scene> scenes;
  };
  LatentPool(diffusion::AutoencoderKL& vae, std::size_t capacity) : vae_(vae), capacity_(capacity) {}
  Batch draw(int64_t count, int64_t fresh, world::Random& random, const world::Breadth& breadth);

 private:
  void add(int64_t count, world::Random& random, const world::Breadth& breadth);
  diffusion::AutoencoderKL& vae_;
  const std::size_t capacity_;
  std::vector<Tensor> latents_;
  std::vector<world::Scene> scenes_;
  std::size_t next_ = 0;
};

}  // namespace conceptd::pretrain
